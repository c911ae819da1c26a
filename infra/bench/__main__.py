"""`make bench`: compare Latchkey's performance with other libraries, and write docs/bench.json and docs/performance.md.

A single run measures everything, so that all numbers on the page come from the same machine at the same time.
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
"""The file for the results of partial runs, which aren't published in docs/performance.md."""


def main() -> int:
    """Run the selected measurements and write the results. A missed target is reported but doesn't fail the run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # exit normally, which stops the child processes
    chosen = _arguments()
    out: Path = chosen.out or (TRIAL if chosen.only or chosen.share < 1 else OUT)
    if chosen.page:
        bench = json.loads(out.read_text())
    else:
        try:
            bench = _measure([_scale_down(group, chosen.share) for group in _select_groups(chosen.only)], chosen.rounds)
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
    parser.add_argument("--out", default="", help="the file for the results; the page is written beside it")
    parser.add_argument("--rounds", default="", help="the number of measured rounds, after the warm-up rounds")
    parser.add_argument("--only", nargs="*", default=[], help="the groups to measure: " + ", ".join(_names()))
    parser.add_argument("--share", type=float, default=1.0, help="run only this fraction of each round")
    parser.add_argument("--page", action="store_true", help="only rewrite the page from existing results")
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


def _select_groups(only: list[str]) -> list[Group]:
    unknown = set(only) - set(_names())
    if unknown:
        raise SystemExit(f"Unknown group: {', '.join(sorted(unknown))}. The groups are {', '.join(_names())}.")
    return [group for group in GROUPS if not only or group.name in only]


def _scale_down(group: Group, share: float) -> Group:
    """Return the group with a fraction of its operations, but with at least 16, or with all if there are fewer."""
    return replace(group, operations=max(min(group.operations, 16), round(group.operations * share)))


def _measure(groups: list[Group], count: int) -> dict[str, Any]:
    homes = peers.install()
    measured = {}
    for group in groups:
        print(f"Measuring: {group.name} …", end=" ", flush=True)
        began = time.monotonic()
        measured[group.name] = rounds.run(group, count, homes)
        print(f"{time.monotonic() - began:.0f} s", flush=True)
    summaries = results.summaries(measured)
    return {
        "machine": machine.machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": machine.versions(),
        "rounds": results.raw(measured),
        "contenders": summaries,
        "ratios": results.ratios(summaries),
    }


if __name__ == "__main__":
    sys.exit(main())
