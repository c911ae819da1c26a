"""Console sessions: 12 hours idle, 14 days in all, over when the account's epoch is raised. Only digests are stored.

A device is remembered the same way and far longer; it proves nothing but that someone logged in from there before.
"""

from dataclasses import dataclass

from chalicelib.accounts.tables import Account, Session
from chalicelib.core import clock, ids, secrets, tables
from chalicelib.events import kinds, record

IDLE_MS = 12 * 3_600_000
IN_ALL_MS = 14 * 24 * 3_600_000
DEVICE_MS = 365 * 24 * 3_600_000
SEEN_EVERY_MS = 5 * 60_000
"""How exactly it is known when a session was last seen: a write for every page would be waste."""

SESSION, DEVICE = "session", "device"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Who looks at a page: the account, and the session it came with."""

    account: Account
    session: Session


def open_session(account: Account) -> str:
    """Start a session and return its secret, for a cookie. Every log-in gets a new one, so none can be planted."""
    session, secret = _new(account, SESSION, IN_ALL_MS)
    with tables.transaction() as write:
        write.save(session, condition=Session.digest.does_not_exist())
        record.add_to(write, account.id, kinds.LOGGED_IN, {"session": session.id}, actor=session.id)
    return secret


def remember_device(account: Account) -> str:
    """Return the secret of a device that this account has logged in from."""
    device, secret = _new(account, DEVICE, DEVICE_MS)
    device.save()
    return secret


def session_of(secret: str) -> LoggedIn | None:
    """Return who is logged in with `secret`, or None when the session is unknown, over or out of date."""
    session = _found(secret, SESSION)
    now_ms = clock.now_ms()
    if session is None or now_ms - session.seen_at >= IDLE_MS or now_ms - session.created_at >= IN_ALL_MS:
        return None
    account = Account.found(session.account_id)
    if account is None or account.status != "active" or session.epoch != account.session_epoch:
        return None
    if now_ms - session.seen_at >= SEEN_EVERY_MS:
        _seen(session, now_ms)
    return LoggedIn(account, session)


def knows_device(secret: str, account_id: str) -> str | None:
    """Return the id of a device this account has logged in from, None for any other."""
    device = _found(secret, DEVICE)
    return device.id if device is not None and device.account_id == account_id else None


def close_session(secret: str) -> None:
    """End a session; ending one that is over already is harmless."""
    if secrets.kind_of(secret) == secrets.SESSION_KIND:
        Session(secrets.digest(secret)).delete()


def _new(account: Account, purpose: str, lives_ms: int) -> tuple[Session, str]:
    secret, now_ms = secrets.mint(secrets.SESSION_KIND), clock.now_ms()
    session = Session(
        secrets.digest(secret),
        id=ids.new("ses"),
        purpose=purpose,
        account_id=account.id,
        epoch=account.session_epoch,
        created_at=now_ms,
        seen_at=now_ms,
        dies_at=(now_ms + lives_ms) // 1000,
    )
    return session, secret


def _found(secret: str, purpose: str) -> Session | None:
    if secrets.kind_of(secret) != secrets.SESSION_KIND:
        return None
    session = Session.found(secrets.digest(secret))
    return session if session is not None and session.purpose == purpose else None


def _seen(session: Session, now_ms: int) -> None:
    with tables.may_be_refused():
        # A log-out at this very moment must not be undone by an update that brings the session back.
        session.update(actions=[Session.seen_at.set(now_ms)], condition=Session.id.exists())
