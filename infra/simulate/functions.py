"""A model of Lambda: each function serves one request at a time, and a new one starts when none is idle."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from infra.simulate import assumptions, ceilings
from infra.simulate.assumptions import S
from infra.simulate.processes import State
from infra.simulate.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified credential, and when it was verified: by the clock of the function (ms), and in true time (µs)."""

    verified_at_ms: int
    truly_us: int


@dataclass(slots=True, eq=False)
class Function:
    """One Lambda process with its own clock, caches and re-verified credentials."""

    off_ms: int
    state: State = field(default_factory=dict)
    renewed: dict[str, Principal] = field(default_factory=dict)
    calls: int = 0
    unanswered: bool = False
    """Whether the last DynamoDB call got no response."""


Pick = Callable[[Random, int], int]


def any_idle(dice: Random, idle: int) -> int:
    """Pick a random idle function: the worst case for local caches."""
    return dice.randrange(idle)


def latest_idle(_: Random, idle: int) -> int:
    """Pick the most recently used function: the best case, with the fewest functions in use."""
    return idle - 1


@dataclass(slots=True)
class Fleet:
    """All functions of the service. There are enough for all traffic, although only a sample of it is simulated.

    AWS doesn't document which idle function gets the next request, so `pick` selects it.
    """

    timeline: Timeline
    dice: Random
    clocks_off_ms: int
    limit: int
    pick: Pick
    new_state: Callable[[], State]
    functions: int = 0
    cold: int = 0
    turned_away: int = 0
    _idle: list[Function] = field(default_factory=list)
    _may_start: float = ceilings.LAMBDA_GROWS
    _counted_us: int = 0

    def warm(self, functions: int) -> None:
        """Add idle functions."""
        self._idle += [self._new() for _ in range(functions)]
        self.functions += functions

    def serve(self, with_function: Callable[[Function], None]) -> None:
        """Call `with_function` with an idle or a new function; reject the request if neither is available."""
        if self._idle:
            at = self.pick(self.dice, len(self._idle))
            self._idle[at], self._idle[-1] = self._idle[-1], self._idle[at]
            function = self._idle.pop()
            self.timeline.after(assumptions.EDGE_MS * assumptions.MS, lambda: with_function(function))
        elif self.functions < self.limit and self._may_start_another():
            self.functions += 1
            self.cold += 1
            started = self._new()
            self.timeline.after(assumptions.COLD_START.draw_us(self.dice), lambda: with_function(started))
        else:
            self.turned_away += 1

    def release(self, function: Function) -> None:
        """Mark a function as idle again; with small probabilities replace it, or change its clock."""
        fate = self.dice.random()
        if fate < assumptions.FUNCTION_ENDS:
            function = self._new()
        elif fate < assumptions.FUNCTION_ENDS + assumptions.CLOCK_SET:
            function.off_ms = self._off_ms()
        self._idle.append(function)

    def state_of(self, function: Function) -> State:
        """Return the module state of a function; create it at the first call."""
        if not function.state:
            function.state = self.new_state()
        return function.state

    def _new(self) -> Function:
        return Function(self._off_ms())

    def _off_ms(self) -> int:
        return self.dice.randint(-self.clocks_off_ms, self.clocks_off_ms)

    def _may_start_another(self) -> bool:
        """Return whether Lambda's scaling rate allows a new function; the allowance refills continuously."""
        gained = (self.timeline.now_us - self._counted_us) * ceilings.LAMBDA_GROWS / (ceilings.LAMBDA_GROWS_IN_S * S)
        self._may_start = min(ceilings.LAMBDA_GROWS, self._may_start + gained)
        self._counted_us = self.timeline.now_us
        if self._may_start < 1:
            return False
        self._may_start -= 1
        return True
