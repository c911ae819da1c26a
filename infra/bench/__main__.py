"""`make bench`: measures Latchkey beside its peers, prints the targets, writes docs/bench.json and docs/performance.md.

One run does it all, so that every number of a page is from the same machine in the same minutes.
"""

import argparse
import json
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra import inputs
from infra.bench import machine, peers, report, results, rounds
from infra.bench.rows import GROUPS, Group
from infra.engine import EngineError
from infra.failed import Mistake

OUT = machine.ROOT / "docs" / "bench.json"
TRIAL = peers.HOME / "bench.json"
"""Where the numbers of a run go that wasn't a whole one: the page is not for them."""


def main() -> int:
    """Measure what the arguments choose and write it down. A target that is missed is shown; it is no failure."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of whatever must be stopped
    chosen = _arguments()
    out: Path = chosen.out or (TRIAL if chosen.only or chosen.share < 1 else OUT)
    if chosen.page:
        bench = json.loads(out.read_text())
    else:
        try:
            bench = _measured([_smaller(group, chosen.share) for group in _groups(chosen.only)], chosen.rounds)
        except EngineError as error:
            print(error, file=sys.stderr)
            return 1
        out.write_text(json.dumps(bench, indent=1) + "\n")
    page = out.with_name("performance.md")
    page.write_text(report.page(bench))
    print(f"{report.table(bench)}\n\nWrote {out} and {page}.")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--out", default="", help="where the numbers go; the page goes beside it")
    parser.add_argument("--rounds", default="", help="how many rounds are measured, after those that warm up")
    parser.add_argument("--only", nargs="*", default=[], help="the groups to measure: " + ", ".join(_names()))
    parser.add_argument("--share", type=float, default=1.0, help="do a small part of each round: a trial")
    parser.add_argument("--page", action="store_true", help="write the page anew from the numbers there are")
    chosen = parser.parse_args()
    try:
        out = inputs.given("OUT", chosen.out)
        chosen.rounds = int(inputs.given("ROUNDS", chosen.rounds) or 5)
    except Mistake as error:
        raise SystemExit(str(error)) from error
    chosen.out = Path(out) if out else None
    return chosen


def _names() -> list[str]:
    return [group.name for group in GROUPS]


def _groups(only: list[str]) -> list[Group]:
    unknown = set(only) - set(_names())
    if unknown:
        raise SystemExit(f"There is no group {', '.join(sorted(unknown))}; there are {', '.join(_names())}.")
    return [group for group in GROUPS if not only or group.name in only]


def _smaller(group: Group, share: float) -> Group:
    """Return a group that does a part of its work, yet something."""
    return replace(group, operations=max(min(group.operations, 16), round(group.operations * share)))


def _measured(groups: list[Group], count: int) -> dict[str, Any]:
    homes = peers.install()
    measured = {}
    for group in groups:
        print(f"Measuring: {group.name} …", end=" ", flush=True)
        began = time.monotonic()
        measured[group.name] = rounds.run(group, count, homes)
        print(f"{time.monotonic() - began:.0f} s", flush=True)
    found = results.summaries(measured)
    return {
        "machine": machine.machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": machine.versions(),
        "rounds": results.raw(measured),
        "contenders": found,
        "ratios": results.ratios(found),
    }


if __name__ == "__main__":
    sys.exit(main())
