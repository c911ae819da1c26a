"""The actor of the current request or task: the credential, session or user that acts, and its IP address.

If an account's own credential or session acts, the account sees the id of the credential or session and the IP address
in the event. If an administrator or the operator acts, the account sees only this role. Only administrators see the
user id, the address and the reason.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor. `id` is the id of a credential, a session or a user, or a fixed text such as "operator"."""

    id: str = OPERATOR
    ip: str = ""
    account_id: str = ""
    """The account of the acting credential or session. It is "" before authentication, and for actors without an
    account.
    """
    user_id: str = ""
    """The user of the acting credential or session."""
    reason: str = ""
    """The reason for the action that an administrator or the operator gave."""


ADMIN = "admin"
"""The text that an account sees instead of an administrator's id."""
DETECTION = "watch"
"""The actor for detection of anomalies and leaks. It applies the policy that the account itself has chosen."""
ANONYMOUS = "stranger"
"""The actor for anonymous callers: for a sign-up, a log-in, or a link from an email."""

SYSTEM = "latchkey"
"""The actor for the service itself, which records observations afterwards and completes earlier requests."""

_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


def current() -> Actor:
    """Return the current actor. If no context manager of this module is active, it is the operator."""
    return _acting.get() or Actor()


@contextmanager
def act_anonymously(ip: str) -> Iterator[None]:
    """Set an anonymous caller with an IP address as the actor in a `with` block, until `identify_actor` replaces it."""
    token = _acting.set(Actor(ANONYMOUS, ip))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def watch() -> Iterator[None]:
    """Set detection as the actor in a `with` block, without an account or an IP address."""
    token = _acting.set(Actor(DETECTION))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def act_as_operator(reason: str) -> Iterator[None]:
    """Set the operator as the actor in a `with` block. Each event contains the `reason`."""
    token = _acting.set(Actor(reason=reason))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def act_as_administrator(user_id: str, reason: str) -> Iterator[None]:
    """Set an administrator as the actor in a `with` block.

    Each event contains the `reason` and the request's IP address.
    """
    token = _acting.set(replace(current(), id=user_id, user_id=user_id, reason=reason))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def act_as_system() -> Iterator[None]:
    """Set the service as the actor in a `with` block that completes the work of an earlier request."""
    token = _acting.set(Actor(SYSTEM))
    try:
        yield
    finally:
        _acting.reset(token)


def identify_actor(id: str, account_id: str = "", user_id: str = "") -> None:  # noqa: A002 - the name of the field
    """Set the id, the account and the user of the current actor, after authentication."""
    _acting.set(replace(current(), id=id, account_id=account_id, user_id=user_id))
