"""The results of a run: a line for each check, printed immediately, with nothing confidential in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from infra.smoke.redaction import Redaction

OK, DIFFERS, SEEN, LEFT_OUT = "ok", "differs", "seen", "left out"


class Outcome(NamedTuple):
    """The result of one check; `found` is the observation or the difference."""

    state: str
    check: str
    found: str


@dataclass
class Outcomes:
    """All results of a run, in order. `say` prints a line."""

    redaction: Redaction
    say: Callable[[str], None]
    found: list[Outcome] = field(default_factory=list)

    def ok(self, check: str, found: str = "") -> None:
        """Record that a check passed."""
        self._note(OK, check, found)

    def seen(self, check: str, found: str) -> None:
        """Record an observation that is neither right nor wrong."""
        self._note(SEEN, check, found)

    def left_out(self, check: str, why: str) -> None:
        """Record that a check was skipped."""
        self._note(LEFT_OUT, check, why)

    def differs(self, check: str, *, expected: object, got: object) -> None:
        """Record the expected and the actual value."""
        self._note(DIFFERS, check, f"expected {expected}, got {got}")

    def judge(self, check: str, differences: list[str]) -> None:
        """Record that a check passed, or each of its differences."""
        for each in differences:
            self._note(DIFFERS, check, each)
        if not differences:
            self.ok(check)

    def expect(self, check: str, holds: bool, *, expected: object, got: object) -> None:
        """Record whether a check passed, with the actual value if it didn't."""
        if holds:
            self.ok(check)
        else:
            self.differs(check, expected=expected, got=got)

    def of(self, state: str) -> list[Outcome]:
        """Return the results of one kind."""
        return [each for each in self.found if each.state == state]

    def _note(self, state: str, check: str, found: str) -> None:
        outcome = Outcome(state, self.redaction.of(check), self.redaction.of(found))
        self.found.append(outcome)
        self.say(f"{state:<9}{outcome.check}" + (f": {outcome.found}" if outcome.found else ""))
