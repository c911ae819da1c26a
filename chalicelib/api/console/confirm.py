"""The confirmation page for actions that can't be undone or that stop something that is in use."""

from dataclasses import dataclass, field
from typing import Any

from chalicelib.api.console.outcomes import Render


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The texts and the form of a confirmation page."""

    heading: str
    consequence: str
    action: str
    """The path to which the form is sent."""
    button: str
    back: str
    """The path of the previous page, for a link with the text `back_label`."""
    back_label: str
    about: str = ""
    """A key preview or an id, shown as code."""
    hidden: dict[str, list[str]] = field(default_factory=dict)
    asks_reason: bool = False
    graces: tuple[str, ...] = ()
    """The offered grace periods for an old secret."""
    is_danger: bool = True


def ask(question: Question, **more: Any) -> Render:
    """Return the confirmation page. For a key, pass its `row`, so that the page shows when the key was last used."""
    return Render("confirm", {"question": question, "row": None, **more})
