"""A process keeps state only in its registered caches, each of which has a maximum size."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.core import process_cache
from chalicelib.core.process_cache import CACHES, ProcessCache

PRODUCT = Path(__file__).parents[2] / "chalicelib"
MUTABLE = ("dict", "list", "set", "deque", "OrderedDict", "defaultdict", "Counter")
OTHER_STATE = {
    "api/authorizer.py: _started": "marks that the process has started",
    "api/cors.py: by_path": "filled while routes are registered",
    "core/process_cache.py: CACHES": "the registry",
    "oauth/document_fetches.py: _in_progress": "locks of threads that run now",
    "uptime/days.py: _unwritten": "registered, a deque of a fixed length",
}
"""Module-level containers that aren't a ProcessCache, with the reason."""


@pytest.fixture
def cache() -> Iterator[ProcessCache[int, str]]:
    """A cache of two entries."""
    made: ProcessCache[int, str] = ProcessCache("test", 2)
    yield made
    del CACHES["test"]


def test_oldest_entry_makes_room(cache: ProcessCache[int, str]) -> None:
    """A full cache removes its oldest entry for a new one."""
    for number in range(4):
        cache[number] = str(number)
    assert cache == {2: "2", 3: "3"}


def test_entry_that_is_set_again_evicts_nothing(cache: ProcessCache[int, str]) -> None:
    """Replacing an entry removes no other entry."""
    cache[1], cache[2], cache[1] = "a", "b", "c"
    assert cache == {1: "c", 2: "b"}


def test_forget_clears_every_cache(cache: ProcessCache[int, str]) -> None:
    """`forget` clears every cache, like a cold start."""
    cache[1] = "a"
    process_cache.forget()
    assert not cache


def test_no_module_keeps_state_outside_of_the_registry() -> None:
    """Every module-level container is a registered cache, because any other container could grow without limit."""
    found = {
        f"{path.relative_to(PRODUCT)}: {name}"
        for path in PRODUCT.rglob("*.py")
        for name, value in _assignments(ast.parse(path.read_text()))
        if _is_empty_container(value)
    }
    assert found == set(OTHER_STATE)


def _assignments(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in module.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value


def _is_empty_container(value: ast.expr) -> bool:
    match value:
        case ast.Dict(keys=[]) | ast.List(elts=[]):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)), args=[]):
            return name in MUTABLE
        case _:
            return False
