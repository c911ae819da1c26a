"""A form that was refused, as its page shows it again: with what was typed, and what is wrong beside the field."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.core import errors
from chalicelib.pages import labels

NEVER_REPEATED = ("password", "secret", "csrf", "ticket")
"""What a field's name holds whose value no page repeats."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What was sent to `action`, and why that was refused."""

    action: str
    typed: Mapping[str, Sequence[str]] = dataclasses.field(repr=False)
    field: str
    """The field that the message is about; "" when it is about the whole form."""
    message: str
    shown_at: list[str] = dataclasses.field(default_factory=list)
    """The fields at which a page has shown the message by now: one whose form is no longer there shows it on top."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a page: as it stands there first, or as it was refused."""

    action: str
    refused: Refused | None

    def value(self, name: str, at_first: object = "") -> object:
        """Return what stands in a field: what was typed, or else what stood there at first."""
        return self.refused.typed.get(name, [at_first])[-1] if self.refused else at_first

    def values(self, name: str, at_first: Sequence[str]) -> Sequence[str]:
        """Return which of several boxes of one name are ticked."""
        return self.refused.typed.get(name, ()) if self.refused else at_first

    def problem(self, name: str = "") -> str:
        """Return what is wrong with a field, or with the whole form; "" for nothing."""
        if self.refused is None or self.refused.field != name:
            return ""
        self.refused.shown_at.append(name)
        return self.refused.message


def refused(action: str, typed: Mapping[str, Sequence[str] | str], error: errors.LatchkeyError) -> Refused:
    """Return a form that was refused; what must not be repeated is left out of it."""
    kept = {
        name: [values] if isinstance(values, str) else list(values)
        for name, values in typed.items()
        if not any(part in name for part in NEVER_REPEATED)
    }
    return Refused(action, kept, error.field, in_readers_words(error))


def in_readers_words(error: errors.LatchkeyError) -> str:
    """Return a message with the label of its field for its name in the API; of a limit, when to come back."""
    if isinstance(error, errors.RateLimited):
        minutes = -(-error.retry_after_s // 60)
        return f"Too many attempts. Come back in {minutes} minute{'s' if minutes > 1 else ''}."
    prefix = f"{error.field} "
    if error.field in labels.FIELDS and error.message.startswith(prefix):
        return f"{labels.FIELDS[error.field]} {error.message.removeprefix(prefix)}"
    return labels.in_one_second(error.message)
