"""Virtual time: what happens next happens at once, and waiting takes no time at all.

A piece of work runs in a greenlet, so the product's own code, which knows nothing of simulations, can stop in the
middle of a call to DynamoDB while others go on.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # ships no types


class Timeline:
    """Events in order of their time (µs), and of their making where times are equal: the same run after run."""

    def __init__(self) -> None:
        """Begin at 0; whoever makes a timeline is the one who runs it."""
        self.now_us = 0
        self._events: list[tuple[int, int, Callable[[], object]]] = []
        self._order: Iterator[int] = count()
        self._runner = getcurrent()

    def at(self, when_us: int, happens: Callable[[], object]) -> None:
        """Let something happen at a moment, or now when the moment is past."""
        heapq.heappush(self._events, (max(when_us, self.now_us), next(self._order), happens))

    def after(self, delay_us: int, happens: Callable[[], object]) -> None:
        """Let something happen after a while."""
        self.at(self.now_us + delay_us, happens)

    def begin(self, work: Callable[[], None]) -> None:
        """Begin a piece of work that may wait; an error of it stops the run."""
        greenlet(work, self._runner).switch()

    def wait_until(self, when_us: int) -> None:
        """Stop the piece of work that calls this until then."""
        self.at(when_us, getcurrent().switch)
        self._runner.switch()

    def run(self) -> None:
        """Let everything happen, until nothing is left to."""
        while self._events:
            self.now_us, _, happens = heapq.heappop(self._events)
            happens()
