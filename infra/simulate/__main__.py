"""`make simulate`: run every scenario, print the results, and write the tables of docs/scale.md.

Fails when a request was admitted over a limit.
"""

import gc
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from infra.simulate import page, scales
from infra.simulate.play import Outcome, play

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def main() -> int:
    """Run all scenarios and write the tables; return 1 if a request was admitted over a limit, otherwise 0."""
    # Disable garbage collection: it finds nothing, because a scenario keeps its objects until its end.
    with ProcessPoolExecutor(2, initializer=gc.disable) as processes:
        outcomes = dict(zip(scales.EVERY, processes.map(play, scales.EVERY), strict=True))
    written = page.blocks(outcomes)
    for name, block in written.items():
        print(f"{name}\n\n{block}")
    wrong = [outcome for outcome in outcomes.values() if not _is_exact(outcome)]
    for outcome in wrong:
        judge = outcome.judge
        print(f"{outcome.scenario.name}: {judge.over_admitted} over-admitted, {judge.missed_changes} changes missed")
    PAGE.write_text(page.replace_blocks(PAGE.read_text(), written))
    print("Wrote docs/scale.md.")
    return 1 if wrong else 0


def _is_exact(outcome: Outcome) -> bool:
    return outcome.judge.over_admitted == 0 and outcome.judge.missed_changes == 0


if __name__ == "__main__":
    sys.exit(main())
