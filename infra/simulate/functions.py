"""Lambda as the gateway sees it: an idle function serves one request at a time, or another is started."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from infra.simulate import assumptions, ceilings
from infra.simulate.assumptions import S
from infra.simulate.processes import State
from infra.simulate.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Principal:
    """What a function believes of a credential: the moment it claims, by some clock, and the true one (µs)."""

    verified_at_ms: int
    truly_us: int


@dataclass(slots=True, eq=False)
class Function:
    """One process: its clock, its memory, what it verified anew."""

    off_ms: int
    state: State = field(default_factory=dict)
    renewed: dict[str, Principal] = field(default_factory=dict)
    calls: int = 0
    unanswered: bool = False
    """Whether the last call got no answer."""


Pick = Callable[[Random, int], int]


def any_idle(dice: Random, idle: int) -> int:
    """Pick by chance: the worst case for what functions remember, since nothing comes back to where it is known."""
    return dice.randrange(idle)


def latest_idle(_: Random, idle: int) -> int:
    """Pick the one that was idle last: the best case, with as few functions at work as can be."""
    return idle - 1


@dataclass(slots=True)
class Fleet:
    """The functions, as many as all traffic needs, though only a sample of it is played.

    AWS doesn't say which idle one serves next; `pick` does.
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
        """Begin with so many idle ones."""
        self._idle += [self._new() for _ in range(functions)]
        self.functions += functions

    def serve(self, with_function: Callable[[Function], None]) -> None:
        """Hand a function to a request when one is there; turn the request away when none may be started."""
        if self._idle:
            at = self.pick(self.dice, len(self._idle))
            self._idle[at], self._idle[-1] = self._idle[-1], self._idle[at]
            function = self._idle.pop()
            self.timeline.after(assumptions.EDGE_MS * assumptions.MS, lambda: with_function(function))
        elif self.functions < self.limit and self._starts_another():
            self.functions += 1
            self.cold += 1
            started = self._new()
            self.timeline.after(assumptions.COLD_START.draw_us(self.dice), lambda: with_function(started))
        else:
            self.turned_away += 1

    def idle_again(self, function: Function) -> None:
        """Take a function back; now and then it ends, or its clock is set."""
        fate = self.dice.random()
        if fate < assumptions.FUNCTION_ENDS:
            function = self._new()
        elif fate < assumptions.FUNCTION_ENDS + assumptions.CLOCK_SET:
            function.off_ms = self._off_ms()
        self._idle.append(function)

    def state_of(self, function: Function) -> State:
        """Return a function's memory, made when it is first needed."""
        if not function.state:
            function.state = self.new_state()
        return function.state

    def _new(self) -> Function:
        return Function(self._off_ms())

    def _off_ms(self) -> int:
        return self.dice.randint(-self.clocks_off_ms, self.clocks_off_ms)

    def _starts_another(self) -> bool:
        """Refill what may be started, continuously and never above one helping, as Lambda says it does."""
        gained = (self.timeline.now_us - self._counted_us) * ceilings.LAMBDA_GROWS / (ceilings.LAMBDA_GROWS_IN_S * S)
        self._may_start = min(ceilings.LAMBDA_GROWS, self._may_start + gained)
        self._counted_us = self.timeline.now_us
        if self._may_start < 1:
            return False
        self._may_start -= 1
        return True
