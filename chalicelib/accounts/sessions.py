"""Console sessions: 12 hours idle, 14 days in all, over when the account's epoch is raised. Only digests are stored.

A device is remembered the same way, until the epoch is raised, and far longer; it proves nothing but that someone
logged in from there before.
"""

from dataclasses import dataclass

from chalicelib.accounts.session_lifetime import DEVICE_MS, IN_ALL_MS, SEEN_EVERY_MS, is_expired
from chalicelib.accounts.tables import Account, Session
from chalicelib.core import clock, errors, ids, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record

SESSION, DEVICE = "session", "device"
_LAST_ID = "ses_~"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Who looks at a page: the account, and the session it came with."""

    account: Account
    session: Session


def open_session(account: Account, *, network: str = "", browser: str = "") -> str:
    """Start a session and return its secret, for a cookie. Every log-in gets a new one, so none can be planted.

    Its account sees later that it was opened from a `network` (no single address) and with a `browser`.
    """
    session, secret = _new(account, SESSION, IN_ALL_MS)
    session.holder_id, session.network, session.browser = account.id, network or None, browser or None
    with models.transaction() as write:
        write.save(session, condition=Session.digest.does_not_exist())
        record.add_to(write, account.id, kinds.LOGGED_IN, {"session": session.id}, actor=session.id)
    return secret


def remember_device(account: Account, *, is_raised: bool = False) -> str:
    """Return the secret of a device that this account has logged in from.

    With `is_raised` the account's epoch has been raised by one since it was read, from this very device.
    """
    device, secret = _new(account, DEVICE, DEVICE_MS)
    device.epoch += is_raised
    device.save()
    return secret


def session_of(secret: str) -> LoggedIn | None:
    """Return who is logged in with `secret`, or None when the session is unknown, over or out of date."""
    session = _found(secret, SESSION)
    now_ms = clock.now_ms()
    if session is None or is_expired(session, now_ms):
        return None
    account = Account.found(session.account_id)
    if account is None or account.status != "active" or session.epoch != account.session_epoch:
        return None
    if now_ms - session.seen_at >= SEEN_EVERY_MS:
        _seen(session, now_ms)
    return LoggedIn(account, session)


def knows_device(secret: str, account: Account | None) -> bool:
    """Tell whether this account has logged in from a device, and nothing has ended its sessions since.

    Asked for nobody (None), too, it makes the same calls.
    """
    device = _found(secret, DEVICE)
    if device is None or account is None:
        return False
    return device.account_id == account.id and device.epoch == account.session_epoch


def close_session(secret: str) -> None:
    """End a session; ending one that is over already is harmless."""
    if secrets.kind_of(secret) == secrets.SESSION_KIND:
        Session(secrets.digest(secret)).delete()


def of_account(account: Account, limit: int, *, before: str = "") -> tuple[list[Session], str]:
    """Return an account's live sessions, the newest first, and the id from where to go on, "" at the end.

    Of `limit` sessions beyond the id `before` that are looked at; those that are over aren't returned.
    """
    older = Session.id < (before or _LAST_ID)
    pages = Session.by_holder.query(account.id, older, scan_index_forward=False, limit=limit)
    looked_at, now_ms = list(pages), clock.now_ms()
    live = [each for each in looked_at if each.epoch == account.session_epoch and not is_expired(each, now_ms)]
    return live, looked_at[-1].id if len(looked_at) == limit else ""


def owned(account_id: str, session_id: str) -> Session:
    """Return a session of an account; raise NotFound when it has none of this id."""
    found = list(Session.by_holder.query(account_id, Session.id == session_id)) if ids.is_id(session_id, "ses") else []
    if not found:
        raise errors.NotFound("This session has ended.")
    return found[0]


def end(session: Session) -> None:
    """End one session of its account, from its next page on. Harmless to repeat."""
    with models.may_be_refused(), models.transaction() as write:
        write.delete(Session(session.digest), condition=Session.id.exists())
        record.add_to(write, session.account_id, kinds.SESSION_ENDED, {"session": session.id})


def end_all(account_id: str) -> None:
    """End every session of an account, and every link that was sent for it while they lasted."""
    with models.refused_as(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.update(Account(account_id), actions=[Account.session_epoch.add(1)], condition=Account.listed.exists())
        record.add_to(write, account_id, kinds.SESSIONS_ENDED, {})


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
    with models.may_be_refused():
        # A log-out at this very moment must not be undone by an update that brings the session back.
        session.update(actions=[Session.seen_at.set(now_ms)], condition=Session.id.exists())
