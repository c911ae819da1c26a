"""A registry of all caches of a process, so that one function can clear them.

In Lambda, a process is one execution environment. The caches contain everything that a process stores between requests.
Each has a maximum size. A lost entry costs a call, but never makes a result wrong.
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
    """A cache of at most `size` entries, registered under `name`.

    When it is full, a new entry replaces the oldest one.
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
    """Add a cache that isn't a `ProcessCache` to the registry."""
    CACHES[name] = cache


def forget() -> None:
    """Clear every cache, so that the process behaves as after a cold start."""
    for cache in CACHES.values():
        cache.clear()
