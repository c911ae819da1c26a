"""The confirmation page of actions that can't be undone or that stop something in use."""

from dataclasses import dataclass, field
from typing import Any

from chalicelib.api.console.outcomes import Render


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The texts and the form of a confirmation page."""

    heading: str
    consequence: str
    action: str
    """The path that the form is sent to."""
    button: str
    back: str
    """The path of the page before, linked with its label."""
    back_label: str
    about: str = ""
    """A key preview or an id, shown as code."""
    hidden: dict[str, list[str]] = field(default_factory=dict)
    asks_reason: bool = False
    graces: tuple[str, ...] = ()
    """Options for when an old secret stops working."""
    is_danger: bool = True


def ask(question: Question, **more: Any) -> Render:
    """Return the confirmation page; `row` is a key whose last use it shows."""
    return Render("confirm", {"question": question, "row": None, **more})
