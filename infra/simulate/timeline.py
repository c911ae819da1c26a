"""Virtual time: each event runs as soon as the previous one has ended, so that waiting takes no real time.

Each task runs in a greenlet. So the product's unchanged code can be suspended during a DynamoDB call while other tasks
continue.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # ships no types


class Timeline:
    """A queue of events, ordered by time (µs) and then by creation, so that runs are repeatable."""

    def __init__(self) -> None:
        """Start at time 0. The greenlet that creates the timeline must also run it."""
        self.now_us = 0
        self._events: list[tuple[int, int, Callable[[], object]]] = []
        self._order: Iterator[int] = count()
        self._runner = getcurrent()

    def at(self, when_us: int, happens: Callable[[], object]) -> None:
        """Schedule an event at a time, or immediately if that time has passed."""
        heapq.heappush(self._events, (max(when_us, self.now_us), next(self._order), happens))

    def after(self, delay_us: int, happens: Callable[[], object]) -> None:
        """Schedule an event after a delay."""
        self.at(self.now_us + delay_us, happens)

    def begin(self, work: Callable[[], None]) -> None:
        """Start a task that may wait; an exception in it stops the run."""
        greenlet(work, self._runner).switch()

    def wait_until(self, when_us: int) -> None:
        """Suspend the calling task until a time."""
        self.at(when_us, getcurrent().switch)
        self._runner.switch()

    def run(self) -> None:
        """Run events until the queue is empty."""
        while self._events:
            self.now_us, _, happens = heapq.heappop(self._events)
            happens()
