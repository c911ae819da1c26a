"""Virtual time: the next event runs immediately, and waiting takes no real time.

A piece of work runs in a greenlet, so the product's own code, which knows nothing of simulations, can stop in the
middle of a call to DynamoDB while others go on.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # ships no types


class Timeline:
    """Events in order of their time (µs) and then of their creation, so that runs are repeatable."""

    def __init__(self) -> None:
        """Start at 0; the creating greenlet must run the timeline."""
        self.now_us = 0
        self._events: list[tuple[int, int, Callable[[], object]]] = []
        self._order: Iterator[int] = count()
        self._runner = getcurrent()

    def at(self, when_us: int, happens: Callable[[], object]) -> None:
        """Schedule an event at a time, or now when the time is past."""
        heapq.heappush(self._events, (max(when_us, self.now_us), next(self._order), happens))

    def after(self, delay_us: int, happens: Callable[[], object]) -> None:
        """Schedule an event after a delay."""
        self.at(self.now_us + delay_us, happens)

    def begin(self, work: Callable[[], None]) -> None:
        """Start work that may wait; an exception stops the run."""
        greenlet(work, self._runner).switch()

    def wait_until(self, when_us: int) -> None:
        """Suspend the calling work until a time."""
        self.at(when_us, getcurrent().switch)
        self._runner.switch()

    def run(self) -> None:
        """Run all events until none is left."""
        while self._events:
            self.now_us, _, happens = heapq.heappop(self._events)
            happens()
