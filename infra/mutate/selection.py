"""Select mutants, and the tests that cover their lines, ordered by relevance and speed."""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

QUICK_S = 0.05
OF_MODELS = "tests/infra/test_resources.py"
"""The tests that compare the models in every `tables.py` with the tables of the CloudFormation stack."""
EQUIVALENT = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file at which a mutation operator applies."""

    path: str
    operator: str
    occurrence: int
    function: str
    line: int
    ends: int

    @property
    def package(self) -> str:
        """Return the package of the file."""
        return self.path.split("/")[1]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutation of some lines. Its `key` contains no line number, so that edits elsewhere don't change the key."""

    place: Place
    line: int
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """Return the function, the original lines and the mutated lines, without indentation."""
        where = f"{self.place.path}::{self.place.function}"
        return where, _plain(self.before), _plain(self.after)

    def applied_to(self, source: str) -> str:
        """Return the source with the mutation applied. Raises ValueError if the original lines have changed."""
        lines = source.split("\n")
        at = self.line - 1
        if tuple(lines[at : at + len(self.before)]) != self.before:
            raise ValueError(f"{self.place.path} has changed.")
        return "\n".join([*lines[:at], *self.after, *lines[at + len(self.before) :]])


@dataclass(frozen=True)
class Coverage:
    """The tests that cover each line, and the tests' durations. Lines that run at import are covered by the test ""."""

    lines: Mapping[str, Mapping[int, frozenset[str]]]
    took_s: Mapping[str, float]
    files: dict[str, frozenset[str]] = field(default_factory=dict)

    def tests_of(self, place: Place) -> list[str]:
        """Return the tests that cover a place. Tests of the file come first, then those of its package, then others.

        In each of these groups, the fastest test comes first. A place in a function is covered by the tests that run it
        or, if there are none, by all tests that run any line of the file. A place outside of functions is covered by
        all tests that run any line of the file and by the fast tests of the package. If no test runs a line of the
        file, such a place is covered by all tests. Declarations in a `tables.py` are also covered by the tests that
        compare models with the stack's tables.
        """
        lines = self.lines.get(place.path, {})
        found = self._at(place) - {""}
        if not place.function or not found:
            found = self.files.setdefault(place.path, frozenset[str]().union(*lines.values()) - {""})
        near = f"tests/{place.package}/"
        if not place.function and not found:
            found = frozenset(self.took_s)
        elif not place.function:
            # Also include tests that only read a constant: these run no line of the file.
            found |= {test for test, took_s in self.took_s.items() if test.startswith(near) and took_s < QUICK_S}
        file = place.path.rpartition("/")[2]
        namesakes: tuple[str, ...] = (f"{near}test_{file}::",)
        if file == "tables.py" and not place.function:
            namesakes += (OF_MODELS,)
            found |= {test for test in self.took_s if test.startswith(OF_MODELS)}

        def rank(test: str) -> tuple[bool, bool, float, str]:
            return not test.startswith(namesakes), not test.startswith(near), self.took_s.get(test, 0), test

        return sorted(found, key=rank)

    def runs_at_import(self, place: Place) -> bool:
        """Return whether a place also runs at import, so that a module may have stored its result."""
        return "" in self._at(place)

    def _at(self, place: Place) -> frozenset[str]:
        lines = self.lines.get(place.path, {})
        return frozenset[str]().union(*(lines.get(line, frozenset()) for line in range(place.line, place.ends + 1)))


class Killers:
    """The tests that have killed mutants, by function and by file: they are the most likely to kill further mutants."""

    def __init__(self) -> None:
        """Create an empty record."""
        self._of: dict[str, Counter[str]] = {}

    def add(self, place: Place, test: str | None) -> None:
        """Record the test that killed a mutant. Do nothing if the test isn't known (None)."""
        if test:
            for where in (place.path, f"{place.path}::{place.function}"):
                self._of.setdefault(where, Counter())[test] += 1

    def first(self, place: Place, tests: Iterable[str]) -> list[str]:
        """Sort tests by the number of mutants that they have killed in the function, then in the file."""
        nothing = Counter[str]()
        function, file = (self._of.get(each, nothing) for each in (f"{place.path}::{place.function}", place.path))
        return sorted(tests, key=lambda test: (-function.get(test, 0), -file.get(test, 0)))


def shuffle(places: Iterable[Place], seed: int) -> list[Place]:
    """Return places in a random order that depends only on the seed; a new place doesn't change the order of others."""

    def random_key(place: Place) -> str:
        return hashlib.sha256(f"{seed} {place}".encode()).hexdigest()

    return sorted(places, key=random_key)


def within(tests: Iterable[str], took_s: Mapping[str, float], budget_s: float) -> list[str]:
    """Return the first tests that fit into the time budget, but at least one."""
    chosen: list[str] = []
    for test in tests:
        budget_s -= took_s.get(test, 0)
        if chosen and budget_s < 0:
            break
        chosen.append(test)
    return chosen


def equivalent(file: Path = EQUIVALENT) -> dict[tuple[str, str, str], str]:
    """Return the known equivalent mutants, each with the reason why no test can kill it."""
    listed = tomllib.loads(file.read_text()).get("mutant", [])
    return {(each["where"], each["before"], each["after"]): each["why"] for each in listed}


def _plain(lines: Iterable[str]) -> str:
    return " ".join(" ".join(line.split()) for line in lines)
