"""Give each simulated function its own module state, although all functions run in one process.

`chalicelib.limits` keeps its caches in module variables: those in lower case that aren't functions, classes or modules.
Each function gets a copy of their initial values, and the values are swapped when another function runs. State that
can't be swapped raises UnknownStateError, so that functions never share it unnoticed.
"""

import importlib
import pickle
import pkgutil
import threading
from inspect import isclass, isfunction, ismodule
from types import GenericAlias, ModuleType, UnionType
from typing import Any

from chalicelib import limits
from chalicelib.core import process_cache
from chalicelib.core.process_cache import ProcessCache

State = dict[ModuleType, dict[str, Any]]
_LOCK = type(threading.Lock())


class UnknownStateError(Exception):
    """A module of `chalicelib.limits` has state that the simulation can't keep separate for each function."""


class Processes:
    """Swaps the state of the modules in `chalicelib.limits`."""

    def __init__(self) -> None:
        """Save the initial state and the constants of the modules."""
        modules = _modules()
        self._before = {module: {name: vars(module)[name] for name in _state(module)} for module in modules}
        for module in modules:
            _check_caches(module)
        process_cache.forget()
        self._new = {module: _pickle(module, list(names)) for module, names in self._before.items() if names}
        self._constants = {module: _pickle(module, _constants(module)) for module in modules}

    def new(self) -> State:
        """Return the state of a new process."""
        return {module: _unpickle(variables) for module, variables in self._new.items()}

    def enter(self, state: State) -> None:
        """Set the modules' variables to a saved state."""
        for module, variables in state.items():
            vars(module).update(variables)

    def leave(self, state: State) -> None:
        """Save the modules' current variables into a state."""
        for module, variables in state.items():
            for name in variables:
                variables[name] = vars(module)[name]

    def end(self) -> None:
        """Restore the modules' original state. Raises UnknownStateError if a constant has changed."""
        for module, variables in self._before.items():
            vars(module).update(variables)
        for module, constants in self._constants.items():
            for name, value in _unpickle(constants).items():
                if vars(module)[name] != value:
                    raise UnknownStateError(f"{module.__name__}.{name} is in upper case but has changed")


def _modules() -> list[ModuleType]:
    return [
        importlib.import_module(f"{limits.__name__}.{found.name}") for found in pkgutil.iter_modules(limits.__path__)
    ]


def _state(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if not name.isupper() and _is_value(module, name, value)]


def _constants(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if name.isupper() and _is_value(module, name, value)]


def _is_value(module: ModuleType, name: str, value: object) -> bool:
    if hasattr(value, "cache_info"):
        raise UnknownStateError(f"{module.__name__}.{name} is a cache: the functions would share it")
    if isinstance(value, _LOCK):
        return False  # functions can share a lock: all run in one thread, and none is suspended while it holds a lock
    is_type = isclass(value) or isinstance(value, GenericAlias | UnionType) or _comes_from_typing(value)
    return not (name.startswith("__") or is_type or ismodule(value) or isfunction(value))


def _comes_from_typing(value: object) -> bool:
    return getattr(value, "__module__", "") in ("typing", "collections.abc")


def _pickle(module: ModuleType, names: list[str]) -> bytes:
    try:
        return pickle.dumps({name: vars(module)[name] for name in names})
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise UnknownStateError(f"one of {module.__name__}'s {', '.join(names)} can't be copied") from error


def _unpickle(variables: bytes) -> dict[str, Any]:
    found: dict[str, Any] = pickle.loads(variables)  # noqa: S301 - our own, from a moment ago
    return found


def _check_caches(module: ModuleType) -> None:
    others = [name for name in _state(module) if not isinstance(vars(module)[name], ProcessCache | frozenset | tuple)]
    if others:
        raise UnknownStateError(f"{module.__name__} keeps {', '.join(others)} outside its process caches")
