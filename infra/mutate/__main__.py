"""`make mutate`: mutation testing, which changes the code and checks whether a test fails.

A run tries a random sample of mutants for ten minutes or, with ALL=1, every mutant. Results are stored in
`.local/mutate`, so a later run continues an interrupted one. A killed mutant isn't tried again until its file changes.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from infra import inputs
from infra.failed import Mistake
from infra.mutate import copies, report
from infra.mutate.selection import Coverage, Killers, Mutant, Place, shuffle, within

PACKAGES = ("limits", "credentials", "oauth", "accounts", "webhooks", "core")
WORKERS = 2
BUDGETS_S, WHOLE_BUDGETS_S = (20.0,), (8.0, 60.0)
"""The time budgets for the tests of one mutant, in a sample and in a full run, which tries survivors a second time."""


class JsonProcess:
    """A subprocess that responds to each JSON line on its standard input with a JSON line."""

    def __init__(self, *command: str, folder: Path) -> None:
        """Start the subprocess."""
        pipe = subprocess.PIPE
        self._program = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, text=True)
        self._lock = threading.Lock()

    def __call__(self, **request: Any) -> Any:
        """Send a request and return the response; concurrent calls wait for each other."""
        with self._lock:
            print(json.dumps(request), file=self._program.stdin, flush=True)
            response = self._program.stdout.readline() if self._program.stdout else ""
            return json.loads(response)

    def stop(self) -> None:
        """Stop the subprocess."""
        self._program.kill()
        self._program.wait()


def main() -> None:
    """Try mutants until the time limit, then report the survivors."""
    options = _options()
    budgets_s = WHOLE_BUDGETS_S if options.all else BUDGETS_S
    packages = options.only.split() or list(PACKAGES)
    names = [name for name in copies.files() if name.startswith(tuple(f"chalicelib/{each}/" for each in packages))]
    state = copies.digest([name for name in copies.files() if name.startswith(("chalicelib/", "tests/", "app.py"))])
    folders = [copies.copy(number) for number in range(WORKERS)]
    coverage = copies.measure_coverage(folders[0], state, options.only.split())
    maker = JsonProcess(options.python, str(copies.ROOT / "infra/mutate/mutations.py"), folder=copies.ROOT)
    places = [Place(**each) for name in names if name.endswith(".py") for each in maker(path=name)]
    results = report.Results(copies.HOME / "results.jsonl", state)
    killers = Killers()
    left = iter([(place, budget_s) for budget_s in budgets_s for place in shuffle(places, options.seed)])
    until = time.monotonic() + (float("inf") if options.all else options.minutes * 60)
    lock = threading.Lock()

    def each() -> Iterator[tuple[Place, float]]:
        while time.monotonic() < until:
            with lock:
                following = next(left, None)
            if following is None:
                return
            yield following

    def work(folder: Path) -> None:
        worker = JsonProcess(sys.executable, "-m", "infra.mutate.worker", folder=folder)
        try:
            for place, budget_s in each():
                made = maker(path=place.path, operator=place.operator, occurrence=place.occurrence)
                if made is not None:
                    mutant = Mutant(place, made["line"], tuple(made["before"]), tuple(made["after"]))
                    _try(worker, mutant, coverage, killers, results, budget_s)
        finally:
            worker.stop()

    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, folders))
    finally:
        maker.stop()
        report.show(results, len(places), copies.HOME / "report.md")


def _try(
    worker: JsonProcess, mutant: Mutant, coverage: Coverage, killers: Killers, results: report.Results, budget_s: float
) -> None:
    source = (copies.ROOT / mutant.place.path).read_text()
    if results.knows(mutant, source, budget_s):
        return
    all_tests = killers.first(mutant.place, coverage.tests_of(mutant.place))
    tests = within(all_tests, coverage.took_s, budget_s)
    outcome = "untested"
    if tests:
        outcome, killer = worker(
            path=mutant.place.path,
            source=mutant.applied_to(source),
            tests={test: coverage.took_s.get(test, 0) for test in tests},
            from_file=bool(mutant.place.function) and coverage.runs_at_import(mutant.place),
        )
        killers.add(mutant.place, killer)
    results.add(mutant, source, outcome, tests=len(tests), of=len(all_tests), budget_s=budget_s)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutate")
    parser.add_argument("--python", required=True, help="the Python interpreter of the environment with cosmic-ray")
    parser.add_argument("--seed", default="")
    parser.add_argument("--minutes", default="")
    parser.add_argument("--only", default="", help="the packages to mutate")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    try:
        options.seed = int(inputs.given("SEED", options.seed) or 1)
        options.minutes = float(inputs.given("MINUTES", options.minutes) or 10)
    except Mistake as error:
        raise SystemExit(str(error)) from error
    return options


if __name__ == "__main__":
    main()
