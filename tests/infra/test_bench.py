"""The recorded results of `make bench`: a number for each target, and the page that is generated from them."""

import json
from pathlib import Path

from infra.bench import report, results
from infra.bench.rows import GROUPS, ROWS

DOCS = Path(__file__).parents[2] / "docs"
BENCH = json.loads((DOCS / "bench.json").read_text())


def test_page_is_generated_from_the_numbers() -> None:
    """The page equals the one generated from the recorded numbers."""
    assert (DOCS / "performance.md").read_text() == report.page(BENCH)


def test_every_target_has_a_number() -> None:
    """Every number is computed from the recorded rounds, and its target is the current one."""
    assert results.ratios(BENCH["contenders"]) == BENCH["ratios"]
    assert [*BENCH["ratios"]] == [row.name for row in ROWS]


def test_every_contender_was_measured_at_least_five_times() -> None:
    """Every contender was measured in at least five complete rounds."""
    for group in GROUPS:
        for contender in group.contenders:
            rounds = BENCH["rounds"][group.name][contender.name]
            assert len(rounds) >= 5, contender.name
            assert {one["operations"] for one in rounds} == {group.operations}, contender.name
