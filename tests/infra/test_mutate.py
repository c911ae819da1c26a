"""The selection of mutants for `make mutate`, and of the tests to run for each mutant."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from infra.mutate.report import Results, show
from infra.mutate.selection import Coverage, Killers, Mutant, Place, equivalent, shuffle, within

ROOT = Path(__file__).parents[2]
PATH = "chalicelib/limits/stale_marks.py"
TOOK_S = {"tests/limits/a.py::slow": 3.0, "tests/limits/a.py::quick": 0.1, "tests/api/b.py::quickest": 0.01}


def place(line: int = 5, function: str = "mark") -> Place:
    """Return a location in a product file."""
    return Place(PATH, "NumberReplacer", 0, function, line, line)


def test_covering_tests_are_ordered_by_nearness_and_speed() -> None:
    """Only tests that run the line are selected: first those of the same feature, and in each group the fastest
    first.
    """
    covered = Coverage({PATH: {5: frozenset(TOOK_S), 6: frozenset(["tests/limits/a.py::slow"])}}, TOOK_S)
    assert covered.tests_of(place()) == [
        "tests/limits/a.py::quick",
        "tests/limits/a.py::slow",
        "tests/api/b.py::quickest",
    ]
    assert covered.tests_of(place(6)) == ["tests/limits/a.py::slow"]


def test_tests_of_the_matching_file_come_first() -> None:
    """The tests in the file named after the product file come first, even if they are slow."""
    namesake = "tests/limits/test_stale_marks.py::slow"
    covered = Coverage({PATH: {5: frozenset([*TOOK_S, namesake])}}, TOOK_S | {namesake: 9.0})
    assert covered.tests_of(place())[0] == namesake


def test_import_time_line_selects_all_tests_of_its_file() -> None:
    """For a line that runs at import, every test that runs any line of the file is selected."""
    covered = Coverage({PATH: {6: frozenset(["tests/limits/a.py::slow"])}}, TOOK_S)
    assert covered.tests_of(place(1, function="")) == ["tests/limits/a.py::slow"]
    quick = Coverage(covered.lines, TOOK_S | {"tests/limits/a.py::quickest": 0.01})
    assert quick.tests_of(place(1, function="")) == ["tests/limits/a.py::quickest", "tests/limits/a.py::slow"]
    assert set(Coverage({}, TOOK_S).tests_of(place(1, function=""))) == set(TOOK_S)


def test_declarative_file_selects_all_tests() -> None:
    """For a file of declarations all tests are selected. The tests of the same feature come first."""
    quick = "tests/limits/a.py::quickest"
    tests = Coverage({}, TOOK_S | {quick: 0.01}).tests_of(place(1, function=""))
    assert tests == [quick, "tests/limits/a.py::quick", "tests/limits/a.py::slow", "tests/api/b.py::quickest"]


def test_table_declaration_selects_the_template_tests_first() -> None:
    """For a table's declaration the tests that compare it with the template come first."""
    compared, path = "tests/infra/test_resources.py::keys", "chalicelib/limits/tables.py"
    covered = Coverage({path: {6: frozenset(["tests/limits/a.py::slow"])}}, TOOK_S | {compared: 0.1})
    declared = Place(path, "ReplaceTrueWithFalse", 0, "", 1, 1)
    assert covered.tests_of(declared) == [compared, "tests/limits/a.py::slow"]
    assert covered.tests_of(replace(declared, function="clear", line=6, ends=6)) == ["tests/limits/a.py::slow"]


def test_uncovered_function_selects_no_test() -> None:
    """For a function that no test runs, no test is selected."""
    assert Coverage({}, TOOK_S).tests_of(place(5)) == []


def test_selection_is_limited_by_time() -> None:
    """The selected tests fit the time limit, except that at least one test is selected."""
    names = list(TOOK_S)
    assert within(names, TOOK_S, 3.05) == names[:1]
    assert within(names, TOOK_S, 3.105) == names[:2]
    assert within(names, TOOK_S, 0) == names[:1]
    assert within([], TOOK_S, 9) == []


def test_tests_that_killed_before_come_first() -> None:
    """Tests that have killed a mutant of the same function come first, then those that killed one of the same file."""
    killers = Killers()
    killers.add(place(function="clear"), "c")
    killers.add(place(), "d")
    killers.add(place(), None)
    killers.add(Place("chalicelib/other.py", "NumberReplacer", 0, "mark", 5, 5), "b")
    assert killers.first(place(), ["a", "b", "c", "d"]) == ["d", "c", "a", "b"]


def test_import_time_line_is_detected() -> None:
    """A line that runs at import is mutated in its file, because other modules may have imported its value."""
    covered = Coverage({PATH: {5: frozenset(["", *TOOK_S]), 6: frozenset(TOOK_S)}}, TOOK_S)
    assert covered.runs_at_import(place())
    assert not covered.runs_at_import(place(6))
    assert set(covered.tests_of(place())) == set(TOOK_S)


def test_order_depends_on_the_seed_only() -> None:
    """The order depends on the seed only, and a new location doesn't change the order of the others."""
    places = [place(line) for line in range(50)]
    assert shuffle(places, 1) == shuffle(reversed(places), 1) != shuffle(places, 2)
    assert [each for each in shuffle([*places, place(99)], 1) if each.line != 99] == shuffle(places, 1)


def test_mutant_identity_ignores_line_numbers() -> None:
    """A mutant is identified by its code, so the list of equivalent mutants stays valid when lines are added."""
    one, other = (Mutant(place(line), line, ("    a = 1",), ("        a = 2",)) for line in (1, 3))
    assert one.key == other.key == (f"{PATH}::mark", "a = 1", "a = 2")
    assert one.applied_to("    a = 1\nb") == "        a = 2\nb"
    with pytest.raises(ValueError, match="has changed"):
        other.applied_to("    a = 1\nb\nc")


def test_equivalent_mutants_are_listed_with_their_reasons(tmp_path: Path) -> None:
    """Every listed equivalent mutant has a reason."""
    file = tmp_path / "equivalent.toml"
    file.write_text('[[mutant]]\nwhere = "f"\nbefore = "a = 1"\nafter = "a = 2"\nwhy = "Nobody reads it."\n')
    assert equivalent(file) == {("f", "a = 1", "a = 2"): "Nobody reads it."}
    assert all(equivalent().values())


def test_every_equivalent_mutant_is_of_code_that_exists() -> None:
    """Every entry of the list matches a function and a line that exist."""
    stale = []
    for where, before, _after in equivalent():
        file, _, function = where.partition("::")
        code = (ROOT / file).read_text() if (ROOT / file).exists() else ""
        lines = {line.strip() for line in code.splitlines()}
        exists = not function or re.search(rf"def {function}\b", code)
        if not exists or any(line.strip() not in lines for line in before.splitlines()):
            stale.append((where, before))
    assert stale == []


def test_survivor_is_printed_in_the_lists_format(tmp_path: Path) -> None:
    """A surviving mutant is printed in the format of the list of equivalent mutants."""
    results = Results(tmp_path / "results.jsonl", "now")
    survivor = Mutant(place(), 5, ('    a = "ä\\n"',), ("    pass",))
    results.add(survivor, "source", "survived", tests=1, of=2, budget_s=1)
    show(results, 1, tmp_path / "report.md")
    listed = (tmp_path / "report.md").read_text().partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "equivalent.toml").write_text(listed + 'why = "Nobody reads it."\n')
    assert equivalent(tmp_path / "equivalent.toml") == {survivor.key: "Nobody reads it."}


def test_survivor_is_retried_with_more_tests(tmp_path: Path) -> None:
    """A surviving mutant is run again only if more tests may run than before, and a killed mutant never is."""
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
