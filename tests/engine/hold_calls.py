"""A proxy that holds calls to the DynamoDB emulator until a test releases them, so that the test decides which of two
writers is first.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from tests.engine.fault_proxy import Call, Fault, FaultProxy, Rule

WITHIN_S = 30

Result = TypeVar("Result")


class HeldCalls:
    """The held calls. A retried call counts once."""

    def __init__(self, rule: Rule) -> None:
        """Hold the calls that `rule` matches."""
        self.rule = rule
        self._calls: set[str] = set()
        self._changed = threading.Condition()
        self._released = threading.Event()

    def wait_for(self, count: int) -> None:
        """Wait until this many calls are held, or fail after a timeout."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._calls) >= count, WITHIN_S), "the calls don't arrive"

    def release(self) -> None:
        """Release the held calls and hold no more."""
        self._released.set()

    def wait(self, call: Call) -> None:
        """Hold a call until it is released."""
        with self._changed:
            self._calls.add(json.dumps(call.body, sort_keys=True))
            self._changed.notify_all()
        self._released.wait(WITHIN_S)


class HoldingProxy(FaultProxy):
    """A proxy that can hold calls before it forwards them."""

    _held: HeldCalls | None = None

    @contextmanager
    def hold(self, rule: Rule) -> Iterator[HeldCalls]:
        """Hold the calls that `rule` matches, until the test releases them or the `with` block ends."""
        held = self._held = HeldCalls(rule)
        try:
            yield held
        finally:
            self._held = None
            held.release()

    def decide(self, call: Call) -> Fault | None:
        """Hold a call before deciding on its fault."""
        held = self._held
        if held is not None and held.rule(call):
            held.wait(call)
        return super().decide(call)


def run_concurrently(deeds: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run all functions at the same time, each in its own thread, and return their results."""
    ready = threading.Barrier(len(deeds))

    def do(deed: Callable[[], Result]) -> Result:
        ready.wait(WITHIN_S)
        return deed()

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(do, deeds))


def release_together(proxy: HoldingProxy, rule: Rule, deeds: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run all functions up to their first call that `rule` matches, then release these calls at the same time."""
    with proxy.hold(rule) as held, ThreadPoolExecutor(len(deeds)) as threads:
        under_way = [threads.submit(deed) for deed in deeds]
        held.wait_for(len(deeds))
        held.release()
        return [deed.result() for deed in under_way]
