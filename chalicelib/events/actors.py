"""The actor of the current request or task: which credential, session or account acts, and from which address.

An account sees its own credentials, sessions and addresses. For an administrator or the operator it sees only the role;
their account id, address and free-text reason are shown to administrators only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor. `id` identifies a credential, a session or an account; outside of requests, the operator."""

    id: str = OPERATOR
    ip: str = ""
    account_id: str = ""
    """The account of that credential or session; "" before authentication and for actors without an account."""
    reason: str = ""
    """The reason that an administrator or the operator gave."""


ADMIN = "admin"
"""The actor that an account sees in place of an administrator."""
DETECTION = "watch"
"""The actor of anomaly and leak detection, which applies the account's own policy."""
ANONYMOUS = "stranger"
"""The actor of an anonymous caller: a sign-up, a login or a link from an email."""

SYSTEM = "latchkey"
"""The actor of the service itself: observations recorded afterwards and deferred clean-up."""

_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


def current() -> Actor:
    """Return the current actor. Outside the context managers of this module it is the operator."""
    return _acting.get() or Actor()


@contextmanager
def act_anonymously(ip: str) -> Iterator[None]:
    """Record an anonymous caller at an address as the actor of a `with` block, until `identify_actor` identifies it."""
    token = _acting.set(Actor(ANONYMOUS, ip))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def watch() -> Iterator[None]:
    """Record detection as the actor of a `with` block, without an account or an address."""
    token = _acting.set(Actor(DETECTION))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def act_as_operator(reason: str) -> Iterator[None]:
    """Record the operator as the actor of a `with` block, with `reason` on each event."""
    token = _acting.set(Actor(reason=reason))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def act_as_administrator(account_id: str, reason: str) -> Iterator[None]:
    """Record an administrator as the actor of a `with` block, with `reason` and the request's address."""
    token = _acting.set(replace(current(), id=account_id, account_id=account_id, reason=reason))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def act_as_system() -> Iterator[None]:
    """Record the service as the actor of a `with` block, for work that completes an earlier request."""
    token = _acting.set(Actor(SYSTEM))
    try:
        yield
    finally:
        _acting.reset(token)


def identify_actor(id: str, account_id: str = "") -> None:  # noqa: A002 - the name of the field
    """Set the id and the account of the current actor after authentication."""
    _acting.set(replace(current(), id=id, account_id=account_id))
