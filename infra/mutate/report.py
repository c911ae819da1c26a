"""Store the results of mutants between runs, and report the score and the survivors."""

import hashlib
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from infra.mutate.selection import Mutant, equivalent

DEAD = ("killed", "timeout")


class Results:
    """The results of this and earlier runs, stored as JSON lines."""

    def __init__(self, file: Path, state: str) -> None:
        """Read earlier results; `state` is the current digest of code and tests."""
        self._file, self._state, self._lock = file, state, threading.Lock()
        self._known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        self._by_key = {_id(each["key"], each["file"]): each for each in self._known}
        self._seen: dict[tuple[str, ...], dict[str, Any]] = {}

    @property
    def seen(self) -> list[dict[str, Any]]:
        """Return the results of all mutants of this run, from this or an earlier run."""
        return list(self._seen.values())

    def knows(self, mutant: Mutant, source: str, budget_s: float) -> bool:
        """Return whether a mutant needn't be tried, because its result within the time budget is already known.

        The result is known if the mutant was killed and its file hasn't changed, if the mutant is listed as equivalent,
        or if it was tried with at least this budget.
        """
        known = self._by_key.get(_id(mutant.key, _digest(source)))
        if mutant.key in equivalent():
            self._saw({"key": mutant.key, "outcome": "equivalent", "line": mutant.line})
            return True
        is_tried = known is not None and known["state"] == self._state and known["budget_s"] >= budget_s
        if known is not None and (known["outcome"] in DEAD or is_tried):
            self._saw(known)
            return True
        return False

    def add(self, mutant: Mutant, source: str, outcome: str, *, tests: int, of: int, budget_s: float) -> None:
        """Store the result of a mutant.

        `of` is the number of tests that cover the mutant, and `tests` is the number of tests that were run.
        """
        found: dict[str, Any] = {"key": mutant.key, "file": _digest(source), "state": self._state, "outcome": outcome}
        found |= {"line": mutant.line, "tests": tests, "of": of, "operator": mutant.place.operator}
        found["budget_s"] = budget_s if tests < of else float("inf")
        self._by_key[_id(mutant.key, _digest(source))] = found
        with self._lock, self._file.open("a") as kept:
            print(json.dumps(found), file=kept)
        self._saw(found)
        if outcome not in DEAD:
            print(f"{outcome}: {mutant.key[0]} line {mutant.line}: {mutant.key[1]}  ->  {mutant.key[2]}", flush=True)

    def _saw(self, found: dict[str, Any]) -> None:
        with self._lock:
            self._seen[tuple(found["key"])] = found


def show(results: Results, places: int, file: Path) -> None:
    """Print the score, and write it to a file together with all survivors."""
    by_package: dict[str, Counter[str]] = {}
    for each in results.seen:
        by_package.setdefault(each["key"][0].split("/")[1], Counter())[each["outcome"]] += 1
    rows = [f"| {name} | {_score(count)} | {sum(count.values())} |" for name, count in sorted(by_package.items())]
    whole: Counter[str] = sum(by_package.values(), Counter())
    head = f"{sum(whole.values())} of about {places} mutants: {dict(whole)}; score {_score(whole)}"
    survivors = [_as_listed(each) for each in results.seen if each["outcome"] in ("survived", "untested")]
    table = ["| package | score | mutants |", "|---|---|---|", *rows]
    lines = ["# Mutants", "", head, "", *table, "", "## Survivors", "", "```toml", *sorted(survivors), "```", ""]
    file.write_text("\n".join(lines))
    print("\n".join([head, *rows, f"Survivors: {file}"]))


def _as_listed(found: dict[str, Any]) -> str:
    """Return a survivor in the format of `equivalent.toml`."""
    where, before, after = (json.dumps(text, ensure_ascii=False) for text in found["key"])
    tried = f"# line {found['line']}, {found['outcome']}: {found['tests']} of {found['of']} tests tried"
    return f"[[mutant]]\nwhere = {where}  {tried}\nbefore = {before}\nafter = {after}\n"


def _score(count: Counter[str]) -> str:
    alive = count["survived"] + count["untested"]
    dead = sum(count[outcome] for outcome in DEAD)
    return f"{100 * dead / (dead + alive):.1f} %" if dead + alive else "–"


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _id(key: Any, file: str) -> tuple[Any, ...]:
    return (*key, file)
