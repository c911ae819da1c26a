"""A line to the engine that holds calls back until told: so a test decides which of two writers comes first."""

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
    """The calls that are held back. One that its caller sends again counts once."""

    def __init__(self, rule: Rule) -> None:
        """Hold what `rule` picks."""
        self.rule = rule
        self._calls: set[str] = set()
        self._changed = threading.Condition()
        self._released = threading.Event()

    def wait_for(self, count: int) -> None:
        """Return when so many calls stand here; fail when they don't come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._calls) >= count, WITHIN_S), "the calls don't come"

    def release(self) -> None:
        """Let them go on, and whatever comes after them pass."""
        self._released.set()

    def wait(self, call: Call) -> None:
        """Hold a call back."""
        with self._changed:
            self._calls.add(json.dumps(call.body, sort_keys=True))
            self._changed.notify_all()
        self._released.wait(WITHIN_S)


class HoldingProxy(FaultProxy):
    """A line that can hold calls back before the engine is asked."""

    _held: HeldCalls | None = None

    @contextmanager
    def hold(self, rule: Rule) -> Iterator[HeldCalls]:
        """Hold back what `rule` picks, at the latest until the `with` block ends."""
        held = self._held = HeldCalls(rule)
        try:
            yield held
        finally:
            self._held = None
            held.release()

    def decide(self, call: Call) -> Fault | None:
        """Hold a call back before it is decided."""
        held = self._held
        if held is not None and held.rule(call):
            held.wait(call)
        return super().decide(call)


def run_concurrently(deeds: Sequence[Callable[[], Result]]) -> list[Result]:
    """Do all of these at the same moment, each in a thread of its own, and return what came of each."""
    ready = threading.Barrier(len(deeds))

    def do(deed: Callable[[], Result]) -> Result:
        ready.wait(WITHIN_S)
        return deed()

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(do, deeds))


def release_together(proxy: HoldingProxy, rule: Rule, deeds: Sequence[Callable[[], Result]]) -> list[Result]:
    """Do all of these, each as far as its first call that `rule` picks; when all stand there, let them go on."""
    with proxy.hold(rule) as held, ThreadPoolExecutor(len(deeds)) as threads:
        under_way = [threads.submit(deed) for deed in deeds]
        held.wait_for(len(deeds))
        held.release()
        return [deed.result() for deed in under_way]
