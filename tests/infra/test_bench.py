"""What `make bench` wrote down: one number for each target, and a page that says nothing else."""

import json
from pathlib import Path

from infra.bench import report, results
from infra.bench.rows import GROUPS, ROWS

DOCS = Path(__file__).parents[2] / "docs"
BENCH = json.loads((DOCS / "bench.json").read_text())


def test_page_is_made_of_the_numbers() -> None:
    """None is written by hand."""
    assert (DOCS / "performance.md").read_text() == report.page(BENCH)


def test_every_target_has_its_number() -> None:
    """It follows from the rounds, and has the target that is aimed at now."""
    assert results.ratios(BENCH["contenders"]) == BENCH["ratios"]
    assert [*BENCH["ratios"]] == [row.name for row in ROWS]


def test_every_contender_was_measured_at_least_five_times() -> None:
    """In whole rounds, not those of a trial."""
    for group in GROUPS:
        for contender in group.contenders:
            rounds = BENCH["rounds"][group.name][contender.name]
            assert len(rounds) >= 5, contender.name
            assert {one["operations"] for one in rounds} == {group.operations}, contender.name
