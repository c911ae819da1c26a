"""Collect the results of a run, and print each one immediately as a line without secrets."""

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
    """The results of a run in the order of the checks. `say` prints a line."""

    redaction: Redaction
    say: Callable[[str], None]
    found: list[Outcome] = field(default_factory=list)

    def ok(self, check: str, found: str = "") -> None:
        """Record that a check passed."""
        self._note(OK, check, found)

    def seen(self, check: str, found: str) -> None:
        """Record an observation for information, which is neither a success nor a failure."""
        self._note(SEEN, check, found)

    def left_out(self, check: str, why: str) -> None:
        """Record that a check was skipped, and why."""
        self._note(LEFT_OUT, check, why)

    def differs(self, check: str, *, expected: object, got: object) -> None:
        """Record that a check failed, with the expected and the actual value."""
        self._note(DIFFERS, check, f"expected {expected}, got {got}")

    def judge(self, check: str, differences: list[str]) -> None:
        """Record each difference that a check found. If there are none, record that the check passed."""
        for each in differences:
            self._note(DIFFERS, check, each)
        if not differences:
            self.ok(check)

    def expect(self, check: str, holds: bool, *, expected: object, got: object) -> None:
        """Record that a check passed or, if it failed, the expected and the actual value."""
        if holds:
            self.ok(check)
        else:
            self.differs(check, expected=expected, got=got)

    def of(self, state: str) -> list[Outcome]:
        """Return the results with a state, such as OK."""
        return [each for each in self.found if each.state == state]

    def _note(self, state: str, check: str, found: str) -> None:
        outcome = Outcome(state, self.redaction.of(check), self.redaction.of(found))
        self.found.append(outcome)
        self.say(f"{state:<9}{outcome.check}" + (f": {outcome.found}" if outcome.found else ""))
