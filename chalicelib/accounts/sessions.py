"""Console sessions and remembered devices, stored under the digests of their cookies.

Raising the user's session epoch invalidates both; `session_lifetime` defines when they expire. A remembered device
grants no access: it only proves that the user has logged in on this device.
"""

from dataclasses import dataclass

from chalicelib.accounts.session_lifetime import DEVICE_MS, IN_ALL_MS, SEEN_EVERY_MS, is_expired
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Session, User
from chalicelib.core import clock, errors, ids, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record

SESSION, DEVICE = "session", "device"
_LAST_ID = "ses_~"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The user and the session of a request to the console."""

    user: User
    session: Session


def open_session(user: User, *, network: str = "", browser: str = "") -> str:
    """Start a session and return its secret, which is the value of its cookie.

    Each log-in starts a new session, to prevent session fixation. The list of sessions in the console shows `network`
    and `browser`; the full address is not stored.
    """
    session, secret = _new(user, SESSION, IN_ALL_MS)
    session.holder_id, session.network, session.browser = user.id, network or None, browser or None
    with models.transaction() as write:
        write.save(session, condition=Session.digest.does_not_exist())
        record.add_to(write, user.id, kinds.LOGGED_IN, {"session": session.id}, actor=session.id)
    return secret


def remember_device(user: User, *, is_raised: bool = False) -> str:
    """Store a device on which this user has logged in, and return its secret, which is the value of its cookie.

    If `is_raised`, the current request has raised the user's epoch by one since `user` was read.
    """
    device, secret = _new(user, DEVICE, DEVICE_MS)
    device.epoch += is_raised
    device.save()
    return secret


def session_of(secret: str) -> LoggedIn | None:
    """Return the user and session of `secret`; None when the session is unknown, has expired or was ended."""
    session = _find(secret, SESSION)
    now_ms = clock.now_ms()
    if session is None or is_expired(session, now_ms):
        return None
    user = User.found(session.user_id)
    if user is None or user.status != ACTIVE or session.epoch != user.session_epoch:
        return None
    if now_ms - session.seen_at >= SEEN_EVERY_MS:
        _update_seen_at(session, now_ms)
    return LoggedIn(user, session)


def is_known_device(secret: str, user: User | None) -> bool:
    """Return whether this user has logged in on the device with this secret since the user's sessions were last ended.

    Without a user, the same database calls are made and the result is False.
    """
    device = _find(secret, DEVICE)
    if device is None or user is None:
        return False
    return device.user_id == user.id and device.epoch == user.session_epoch


def close_session(secret: str) -> None:
    """End the session whose cookie has this secret, if there is such a session."""
    if secrets.kind_of(secret) == secrets.SESSION_KIND:
        Session(secrets.digest(secret)).delete()


def of_user(user: User, limit: int, *, before: str = "") -> tuple[list[Session], str]:
    """Return a user's active sessions, newest first, and the id at which the next page starts ("" after the last
    page).

    Up to `limit` sessions with an id less than `before` are read. Ended and expired sessions are omitted, so a page may
    contain fewer than `limit` sessions.
    """
    older = Session.id < (before or _LAST_ID)
    query = Session.by_holder.query(user.id, older, scan_index_forward=False, limit=limit)
    page, now_ms = list(query), clock.now_ms()
    live = [each for each in page if each.epoch == user.session_epoch and not is_expired(each, now_ms)]
    return live, page[-1].id if len(page) == limit else ""


def owned(user_id: str, session_id: str) -> Session:
    """Return the user's session with this id; raise NotFound when there is no such session."""
    found = list(Session.by_holder.query(user_id, Session.id == session_id)) if ids.is_id(session_id, "ses") else []
    if not found:
        raise errors.NotFound("This session has ended.")
    return found[0]


def end(session: Session) -> None:
    """End one session. Idempotent."""
    with models.ignore_condition_failure(), models.transaction() as write:
        write.delete(Session(session.digest), condition=Session.id.exists())
        record.add_to(write, session.user_id, kinds.SESSION_ENDED, {"session": session.id})


def end_all(user_id: str) -> None:
    """End all sessions of a user, and invalidate its links and remembered devices."""
    with models.raise_on_condition_failure(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.update(User(user_id), actions=[User.session_epoch.add(1)], condition=User.listed.exists())
        record.add_to(write, user_id, kinds.SESSIONS_ENDED, {})


def _new(user: User, purpose: str, lifetime_ms: int) -> tuple[Session, str]:
    secret, now_ms = secrets.mint(secrets.SESSION_KIND), clock.now_ms()
    session = Session(
        secrets.digest(secret),
        id=ids.new("ses"),
        purpose=purpose,
        user_id=user.id,
        epoch=user.session_epoch,
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
