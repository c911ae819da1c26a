"""Asking first: what can't be undone, or stops something that runs, has a page that says what it does, and a button."""

from dataclasses import dataclass, field
from typing import Any

from chalicelib.api.console.outcomes import Render


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked before something is done."""

    heading: str
    consequence: str
    action: str
    """The path that the form is sent to."""
    button: str
    back: str
    """The path that it was asked on, under its label."""
    back_label: str
    about: str = ""
    """A hint or an id of what it is about, shown as code."""
    hidden: dict[str, list[str]] = field(default_factory=dict)
    asks_reason: bool = False
    graces: tuple[str, ...] = ()
    """What to choose from, for when an old secret stops."""
    is_danger: bool = True


def ask(question: Question, **more: Any) -> Render:
    """Return the page that asks; `row` is a key whose last use is worth knowing."""
    return Render("confirm", {"question": question, "row": None, **more})
