"""Who acts, and from where: known at the edge, and asked for where an event is recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is that of a credential, a session or an account; outside of any request the operator acts."""

    id: str = OPERATOR
    ip: str = ""
    reason: str | None = None
    """Why the operator does it, where they said so."""


WATCH = "watch"
"""What acts by itself, as the account chose, when a key leaks or behaves strangely."""
STRANGER = "stranger"
"""Who has shown nothing yet: somebody who signs up, logs in or opens a link of a letter."""

LATCHKEY = "latchkey"
"""Who acts where nobody did: what was noticed, or is finished, afterwards."""

_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


def current() -> Actor:
    """Return who acts."""
    return _acting.get() or Actor()


@contextmanager
def stranger_from(ip: str) -> Iterator[None]:
    """Let somebody at an address act in a `with` block, until it is known who it is."""
    token = _acting.set(Actor(STRANGER, ip))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def watch() -> Iterator[None]:
    """Let the watch act in a `with` block, on nobody's behalf and from nowhere."""
    token = _acting.set(Actor(WATCH))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def operator_for(reason: str | None) -> Iterator[None]:
    """Record `reason` with every event of a `with` block: the operator acts, by a command."""
    token = _acting.set(Actor(reason=reason))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def latchkey() -> Iterator[None]:
    """Let nobody act in a `with` block: what is done in it follows from what somebody did before."""
    token = _acting.set(Actor(LATCHKEY))
    try:
        yield
    finally:
        _acting.reset(token)


def is_known_as(id: str) -> None:  # noqa: A002 - what it is
    """Take down who it is that acts, now that it is known."""
    _acting.set(replace(current(), id=id))
