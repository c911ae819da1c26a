"""Which mutants `make mutate` tries, and by which tests."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.mutate.report import Results, show
from infra.mutate.selection import Coverage, Killers, Mutant, Place, equivalent, in_order, within

PATH = "chalicelib/limits/stale_marks.py"
TOOK_S = {"tests/limits/a.py::slow": 3.0, "tests/limits/a.py::quick": 0.1, "tests/api/b.py::quickest": 0.01}


def place(line: int = 5, function: str = "mark") -> Place:
    """Return a place of a file."""
    return Place(PATH, "NumberReplacer", 0, function, line, line)


def test_tests_that_run_the_line_are_chosen_the_nearest_and_fastest_first() -> None:
    """Those of the feature's own folder, by how long they take, and then others; none that doesn't run it."""
    covered = Coverage({PATH: {5: frozenset(TOOK_S), 6: frozenset(["tests/limits/a.py::slow"])}}, TOOK_S)
    assert covered.tests_of(place()) == [
        "tests/limits/a.py::quick",
        "tests/limits/a.py::slow",
        "tests/api/b.py::quickest",
    ]
    assert covered.tests_of(place(6)) == ["tests/limits/a.py::slow"]


def test_tests_of_the_file_that_is_named_after_it_come_first() -> None:
    """However long they take: they are written for it."""
    namesake = "tests/limits/test_stale_marks.py::slow"
    covered = Coverage({PATH: {5: frozenset([*TOOK_S, namesake])}}, TOOK_S | {namesake: 9.0})
    assert covered.tests_of(place())[0] == namesake


def test_line_that_runs_at_import_belongs_to_all_tests_of_its_file() -> None:
    """A constant is read by whatever runs below it, or by a test that runs nothing and is quick."""
    covered = Coverage({PATH: {6: frozenset(["tests/limits/a.py::slow"])}}, TOOK_S)
    assert covered.tests_of(place(1, function="")) == ["tests/limits/a.py::slow"]
    quick = Coverage(covered.lines, TOOK_S | {"tests/limits/a.py::quickest": 0.01})
    assert quick.tests_of(place(1, function="")) == ["tests/limits/a.py::quickest", "tests/limits/a.py::slow"]
    assert set(Coverage({}, TOOK_S).tests_of(place(1, function=""))) == set(TOOK_S)


def test_file_that_only_declares_belongs_to_all_tests_and_first_to_its_features() -> None:
    """No test runs a line of it, and the quick ones alone would call a survivor what the others kill."""
    quick = "tests/limits/a.py::quickest"
    tests = Coverage({}, TOOK_S | {quick: 0.01}).tests_of(place(1, function=""))
    assert tests == [quick, "tests/limits/a.py::quick", "tests/limits/a.py::slow", "tests/api/b.py::quickest"]


def test_declaration_of_a_table_belongs_first_to_the_tests_that_compare_it_with_the_stack() -> None:
    """They run no line of it; another function of the same file isn't theirs."""
    compared, path = "tests/infra/test_resources.py::keys", "chalicelib/limits/tables.py"
    covered = Coverage({path: {6: frozenset(["tests/limits/a.py::slow"])}}, TOOK_S | {compared: 0.1})
    declared = Place(path, "ReplaceTrueWithFalse", 0, "", 1, 1)
    assert covered.tests_of(declared) == [compared, "tests/limits/a.py::slow"]
    assert covered.tests_of(replace(declared, function="clear", line=6, ends=6)) == ["tests/limits/a.py::slow"]


def test_function_of_a_file_that_no_test_runs_has_no_tests() -> None:
    """It is untested, at once: every test would run for nothing, and call it a survivor."""
    assert Coverage({}, TOOK_S).tests_of(place(5)) == []


def test_tests_are_run_as_far_as_the_time_allows() -> None:
    """One at least."""
    names = list(TOOK_S)
    assert within(names, TOOK_S, 3.05) == names[:1]
    assert within(names, TOOK_S, 3.105) == names[:2]
    assert within(names, TOOK_S, 0) == names[:1]
    assert within([], TOOK_S, 9) == []


def test_tests_that_killed_in_the_function_come_first_then_those_of_the_file() -> None:
    """The rest stay in their order; what killed elsewhere says nothing."""
    killers = Killers()
    killers.add(place(function="clear"), "c")
    killers.add(place(), "d")
    killers.add(place(), None)
    killers.add(Place("chalicelib/other.py", "NumberReplacer", 0, "mark", 5, 5), "b")
    assert killers.first(place(), ["a", "b", "c", "d"]) == ["d", "c", "a", "b"]


def test_line_that_runs_at_import_is_known() -> None:
    """What came of it may be kept by another module, so the file itself is changed."""
    covered = Coverage({PATH: {5: frozenset(["", *TOOK_S]), 6: frozenset(TOOK_S)}}, TOOK_S)
    assert covered.runs_at_import(place())
    assert not covered.runs_at_import(place(6))
    assert set(covered.tests_of(place())) == set(TOOK_S)


def test_order_is_the_seeds_and_no_place_moves_another() -> None:
    """The same seed tries the same ones first, whatever is added elsewhere."""
    places = [place(line) for line in range(50)]
    assert in_order(places, 1) == in_order(reversed(places), 1) != in_order(places, 2)
    assert [each for each in in_order([*places, place(99)], 1) if each.line != 99] == in_order(places, 1)


def test_mutant_is_known_by_its_lines_wherever_they_stand() -> None:
    """So what is listed as equivalent stays so when something is added above it."""
    one, other = (Mutant(place(line), line, ("    a = 1",), ("        a = 2",)) for line in (1, 3))
    assert one.key == other.key == (f"{PATH}::mark", "a = 1", "a = 2")
    assert one.applied_to("    a = 1\nb") == "        a = 2\nb"
    with pytest.raises(ValueError, match="has changed"):
        other.applied_to("    a = 1\nb\nc")


def test_equivalent_mutants_are_listed_with_their_reasons(tmp_path: Path) -> None:
    """Each has one; the kept list can be read."""
    file = tmp_path / "equivalent.toml"
    file.write_text('[[mutant]]\nwhere = "f"\nbefore = "a = 1"\nafter = "a = 2"\nwhy = "Nobody reads it."\n')
    assert equivalent(file) == {("f", "a = 1", "a = 2"): "Nobody reads it."}
    assert all(equivalent().values())


def test_survivor_is_printed_as_it_would_be_listed(tmp_path: Path) -> None:
    """The report can be pasted into the list, with a reason."""
    results = Results(tmp_path / "results.jsonl", "now")
    survivor = Mutant(place(), 5, ('    a = "ä\\n"',), ("    pass",))
    results.add(survivor, "source", "survived", tests=1, of=2, budget_s=1)
    show(results, 1, tmp_path / "report.md")
    listed = (tmp_path / "report.md").read_text().partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "equivalent.toml").write_text(listed + 'why = "Nobody reads it."\n')
    assert equivalent(tmp_path / "equivalent.toml") == {survivor.key: "Nobody reads it."}


def test_survivor_is_tried_again_where_more_tests_may_be_run(tmp_path: Path) -> None:
    """Not where those were all, or the tests are the same; a dead one never, in the same file."""
    file = tmp_path / "results.jsonl"
    partly, wholly, dead = (Mutant(place(), 5, (name,), ("pass",)) for name in "abc")
    before = Results(file, "now")
    before.add(partly, "source", "survived", tests=1, of=2, budget_s=8)
    before.add(wholly, "source", "survived", tests=2, of=2, budget_s=8)
    before.add(dead, "source", "killed", tests=1, of=2, budget_s=8)
    for results in (before, Results(file, "now")):
        assert results.knows(partly, "source", 8)
        assert not results.knows(partly, "source", 60)
        assert results.knows(wholly, "source", 60)
        assert len(results.seen) <= 3
    later = Results(file, "then")
    assert not any(later.knows(each, "source", 8) for each in (partly, wholly))
    assert later.knows(dead, "source", 60)
    assert not later.knows(dead, "changed", 60)
