"""A submitted form that was rejected: its page shows the submitted values again, and the error at its field."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.core import errors
from chalicelib.pages import labels

NEVER_REPEATED = ("password", "secret", "csrf", "ticket")
"""A field is never shown again if its name contains one of these words."""


@dataclass(frozen=True, slots=True)
class RejectedForm:
    """A rejected form: its path, its submitted values and the error."""

    action: str
    values: Mapping[str, Sequence[str]] = dataclasses.field(repr=False)
    field: str
    """The field with the error; "" if the error concerns the whole form."""
    message: str
    shown_at: list[str] = dataclasses.field(default_factory=list)
    """The fields at which the message was shown so far. If it is shown at no field, the top of the page shows it."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a page, with its initial values or, if it was rejected, with the submitted values."""

    action: str
    rejected_form: RejectedForm | None

    def value(self, name: str, initial: object = "") -> object:
        """Return the value of a field: the submitted one, or else the initial one."""
        return self.rejected_form.values.get(name, [initial])[-1] if self.rejected_form else initial

    def values(self, name: str, initial: Sequence[str]) -> Sequence[str]:
        """Return the values of the selected checkboxes that share a name."""
        return self.rejected_form.values.get(name, ()) if self.rejected_form else initial

    def problem(self, name: str = "") -> str:
        """Return the error of a field, or of the whole form; "" if there is no error."""
        if self.rejected_form is None or self.rejected_form.field != name:
            return ""
        self.rejected_form.shown_at.append(name)
        return self.rejected_form.message


def reject(action: str, values: Mapping[str, Sequence[str] | str], error: errors.LatchkeyError) -> RejectedForm:
    """Return a rejected form, without the values that are never shown again."""
    kept = {
        name: [given] if isinstance(given, str) else list(given)
        for name, given in values.items()
        if not any(part in name for part in NEVER_REPEATED)
    }
    return RejectedForm(action, kept, error.field, message_of(error))


def message_of(error: errors.LatchkeyError) -> str:
    """Return the message of an error for a page. It uses the label of the field, and minutes for the waiting time."""
    if isinstance(error, errors.RateLimited):
        minutes = -(-error.retry_after_s // 60)
        return f"Too many attempts. Try again in {minutes} minute{'s' if minutes > 1 else ''}."
    prefix = f"{error.field} "
    if error.field in labels.FIELDS and error.message.startswith(prefix):
        return f"{labels.FIELDS[error.field]} {error.message.removeprefix(prefix)}"
    return labels.with_singular(error.message)
