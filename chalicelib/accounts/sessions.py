"""Console sessions and remembered devices, stored under the digests of their cookies.

Raising the account's session epoch invalidates both; `session_lifetime` defines when they expire. A remembered device
grants no access: it only proves that the account has logged in on this device.
"""

from dataclasses import dataclass

from chalicelib.accounts.session_lifetime import DEVICE_MS, IN_ALL_MS, SEEN_EVERY_MS, is_expired
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account, Session
from chalicelib.core import clock, errors, ids, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record

SESSION, DEVICE = "session", "device"
_LAST_ID = "ses_~"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The account and the session of a request to the console."""

    account: Account
    session: Session


def open_session(account: Account, *, network: str = "", browser: str = "") -> str:
    """Start a session and return its secret, which is the value of its cookie.

    Each log-in starts a new session, to prevent session fixation. The list of sessions in the console shows `network`
    and `browser`; the full address is not stored.
    """
    session, secret = _new(account, SESSION, IN_ALL_MS)
    session.holder_id, session.network, session.browser = account.id, network or None, browser or None
    with models.transaction() as write:
        write.save(session, condition=Session.digest.does_not_exist())
        record.add_to(write, account.id, kinds.LOGGED_IN, {"session": session.id}, actor=session.id)
    return secret


def remember_device(account: Account, *, is_raised: bool = False) -> str:
    """Store a device on which this account has logged in, and return its secret, which is the value of its cookie.

    If `is_raised`, the current request has raised the account's epoch by one since `account` was read.
    """
    device, secret = _new(account, DEVICE, DEVICE_MS)
    device.epoch += is_raised
    device.save()
    return secret


def session_of(secret: str) -> LoggedIn | None:
    """Return the account and session of `secret`; None when the session is unknown, has expired or was ended."""
    session = _find(secret, SESSION)
    now_ms = clock.now_ms()
    if session is None or is_expired(session, now_ms):
        return None
    account = Account.found(session.account_id)
    if account is None or account.status != ACTIVE or session.epoch != account.session_epoch:
        return None
    if now_ms - session.seen_at >= SEEN_EVERY_MS:
        _update_seen_at(session, now_ms)
    return LoggedIn(account, session)


def is_known_device(secret: str, account: Account | None) -> bool:
    """Return whether this account has logged in on the device with this secret since the account's sessions were last
    ended.

    Without an account, the same database calls are made and the result is False.
    """
    device = _find(secret, DEVICE)
    if device is None or account is None:
        return False
    return device.account_id == account.id and device.epoch == account.session_epoch


def close_session(secret: str) -> None:
    """End the session whose cookie has this secret, if there is such a session."""
    if secrets.kind_of(secret) == secrets.SESSION_KIND:
        Session(secrets.digest(secret)).delete()


def of_account(account: Account, limit: int, *, before: str = "") -> tuple[list[Session], str]:
    """Return an account's active sessions, newest first, and the id at which the next page starts ("" after the last
    page).

    Up to `limit` sessions with an id less than `before` are read. Ended and expired sessions are omitted, so a page may
    contain fewer than `limit` sessions.
    """
    older = Session.id < (before or _LAST_ID)
    query = Session.by_holder.query(account.id, older, scan_index_forward=False, limit=limit)
    page, now_ms = list(query), clock.now_ms()
    live = [each for each in page if each.epoch == account.session_epoch and not is_expired(each, now_ms)]
    return live, page[-1].id if len(page) == limit else ""


def owned(account_id: str, session_id: str) -> Session:
    """Return the account's session with this id; raise NotFound when there is no such session."""
    found = list(Session.by_holder.query(account_id, Session.id == session_id)) if ids.is_id(session_id, "ses") else []
    if not found:
        raise errors.NotFound("This session has ended.")
    return found[0]


def end(session: Session) -> None:
    """End one session. Idempotent."""
    with models.ignore_condition_failure(), models.transaction() as write:
        write.delete(Session(session.digest), condition=Session.id.exists())
        record.add_to(write, session.account_id, kinds.SESSION_ENDED, {"session": session.id})


def end_all(account_id: str) -> None:
    """End all sessions of an account, and invalidate its links and remembered devices."""
    with models.raise_on_condition_failure(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.update(Account(account_id), actions=[Account.session_epoch.add(1)], condition=Account.listed.exists())
        record.add_to(write, account_id, kinds.SESSIONS_ENDED, {})


def _new(account: Account, purpose: str, lifetime_ms: int) -> tuple[Session, str]:
    secret, now_ms = secrets.mint(secrets.SESSION_KIND), clock.now_ms()
    session = Session(
        secrets.digest(secret),
        id=ids.new("ses"),
        purpose=purpose,
        account_id=account.id,
        epoch=account.session_epoch,
        created_at=now_ms,
        seen_at=now_ms,
        dies_at=(now_ms + lifetime_ms) // 1000,
    )
    return session, secret


def _find(secret: str, purpose: str) -> Session | None:
    if secrets.kind_of(secret) != secrets.SESSION_KIND:
        return None
    session = Session.found(secrets.digest(secret))
    return session if session is not None and session.purpose == purpose else None


def _update_seen_at(session: Session, now_ms: int) -> None:
    with models.ignore_condition_failure():
        # Without the condition, the update would recreate a session that is being ended.
        session.update(actions=[Session.seen_at.set(now_ms)], condition=Session.id.exists())
