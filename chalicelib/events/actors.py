"""Who acts, from where, and for which account: known by the middleware, and read where an event is recorded.

An account is shown its own credentials, sessions and addresses. Of somebody else, such as an administrator, it is shown
only the role: their account id, address and free-text reason are for administrators.
"""

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
    account_id: str = ""
    """The account of that credential or session; "" while it is unknown, and where nobody's account acts."""
    reason: str = ""
    """Why, where an administrator or the operator gave a reason."""


ADMIN = "admin"
"""What an account is shown instead of who of its administrators acted."""
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
def operator_for(reason: str) -> Iterator[None]:
    """Record `reason`, if there is one, with every event of a `with` block: the operator acts, by a command."""
    token = _acting.set(Actor(reason=reason))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def administrator(account_id: str, reason: str) -> Iterator[None]:
    """Act as an administrator in a `with` block, for `reason`, from wherever the request comes."""
    token = _acting.set(replace(current(), id=account_id, account_id=account_id, reason=reason))
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


def is_known_as(id: str, account_id: str = "") -> None:  # noqa: A002 - what it is
    """Take down who it is that acts, and for which account, now that it is known."""
    _acting.set(replace(current(), id=id, account_id=account_id))
