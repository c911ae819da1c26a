"""Mutation of a module that the process has already imported."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra.mutate import in_place

SOURCE = '''
import functools
from contextlib import contextmanager

SHAPE_LIMIT = 5
DOUBLE = SHAPE_LIMIT * 2
WIDTH = 6

def limit(of=3):
    """Return it."""
    return SHAPE_LIMIT + of

def wide(by=WIDTH):
    return by

def outer():
    def inner():
        return 7
    return inner

@contextmanager
def opened():
    yield 8

@functools.cache
def kept():
    return 9

class Shape:
    SIDES = 4

    @property
    def sides(self):
        return self.SIDES

    @classmethod
    def made(cls):
        return cls().sides + 1

    @functools.cached_property
    def corners(self):
        return 10

first = lambda: 1
second = lambda: 2
'''


@pytest.fixture
def shapes(tmp_path: Path) -> ModuleType:
    """An imported module that has functions of every type."""
    file = tmp_path / "shapes.py"
    file.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("shapes", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _limits(module: Any) -> tuple[int, int]:
    return module.limit(), module.DOUBLE


@pytest.mark.parametrize(
    ("before", "after", "call", "then"),
    [
        ("return SHAPE_LIMIT + of", "return SHAPE_LIMIT - of", lambda module: module.limit(), 2),
        ("return 7", "return 70", lambda module: module.outer()(), 70),
        ("yield 8", "yield 80", lambda module: module.opened().__enter__(), 80),
        ("return 9", "return 90", lambda module: module.kept(), 90),
        ("return self.SIDES", "pass", lambda module: module.Shape().sides, None),
        ("return cls().sides + 1", "return cls().sides - 1", lambda module: module.Shape.made(), 3),
        ("SHAPE_LIMIT = 5", "SHAPE_LIMIT = 6", _limits, (9, 12)),
        ("return 10", "return True", lambda module: module.Shape().corners, True),
    ],
)
def test_change_of_a_function_or_constant_takes_effect(
    shapes: ModuleType, before: str, after: str, call: Callable[[Any], object], then: object
) -> None:
    """A changed function or constant takes effect despite decorators and caches."""
    call(shapes)
    assert in_place.replace(shapes, SOURCE, SOURCE.replace(before, after))
    assert call(shapes) == then


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("WIDTH = 6", "WIDTH = 7"),
        ("of=3", "of=4"),
        ("@functools.cache", ""),
        ("SIDES = 4", "SIDES = 5"),
        ("SIDES = 4", "pass"),
        ("second = lambda: 2", "second = lambda: 3"),
        ("SHAPE_LIMIT = 5", "SHAPE_LIMIT = 5  # the same"),
        ("SHAPE_LIMIT = 5", "pass"),
    ],
)
def test_import_time_change_is_not_made_in_place(shapes: ModuleType, before: str, after: str) -> None:
    """A default, decorator, class body, ambiguous lambda or unchanged line can't be mutated in place."""
    assert not in_place.replace(shapes, SOURCE, SOURCE.replace(before, after))


def test_constant_changes_in_importing_modules(shapes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant is changed in every module that imported it.

    A constant from which another module computes a value isn't mutated in place.
    """
    other = ModuleType("tests.other")
    vars(other)["SHAPE_LIMIT"] = shapes.SHAPE_LIMIT
    monkeypatch.setitem(sys.modules, "tests.other", other)
    assert in_place.replace(shapes, SOURCE, SOURCE.replace("SHAPE_LIMIT = 5", "SHAPE_LIMIT = 6"))
    assert vars(other)["SHAPE_LIMIT"] == 6
    other.__file__ = shapes.__file__
    in_place._read_by.cache_clear()
    assert not in_place.replace(shapes, SOURCE, SOURCE.replace("SHAPE_LIMIT = 5", "SHAPE_LIMIT = 7"))
