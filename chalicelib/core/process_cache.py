"""The caches of a process: everything that it keeps between requests, in one registry with one function that clears
them.

A process is one execution environment of Lambda. Each cache is bounded. Losing an entry costs a call, but never
correctness.
"""

import sys
from collections.abc import Hashable
from typing import Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Clearable(Protocol):
    """A container that can be emptied."""

    def clear(self) -> None:
        """Remove every entry."""


CACHES: dict[str, Clearable] = {}
"""Every cache of this process by name."""


class ProcessCache(dict[K, V]):
    """A mapping of at most `size` entries, registered as `name`. A new entry replaces the oldest one if the mapping
    is full.
    """

    size: int = sys.maxsize

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self.size = size
        register(name, self)

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > self.size:
            self.pop(next(iter(self)), None)


def register(name: str, cache: Clearable) -> None:
    """Add a cache that isn't a ProcessCache to the registry."""
    CACHES[name] = cache


def forget() -> None:
    """Clear every cache, as a cold start does."""
    for cache in CACHES.values():
        cache.clear()
