"""One-time links, sent by email, that set a password, verify an email address or change it. They expire after one hour.

One transaction consumes the link and makes the change, so of two concurrent uses one fails. Opening the page doesn't
consume the link, because email scanners open links.
"""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.accounts import pending_terminations
from chalicelib.accounts.email_address import parse
from chalicelib.accounts.pending_terminations import PendingTermination
from chalicelib.accounts.tables import Account, EmailClaim, OneTimeToken, Session
from chalicelib.core import clock, errors, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks

LIFETIME_S = 3_600
SET_PASSWORD = "set_password"  # noqa: S105 - a purpose, not a password
VERIFY_EMAIL = "verify_email"
CHANGE_EMAIL = "change_email"


class SpentLink(errors.LatchkeyError):
    """The link is unknown, used or expired; the response doesn't reveal which."""

    status, error = 410, "spent_link"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("This link was already used or has expired. Request a new one.")


def new_link(account_id: str, purpose: str, *, epoch: int, email: str | None = None) -> str:
    """Store a token for `purpose` and return its secret, which must appear only in one URL."""
    token, secret = new_token(account_id, purpose, epoch=epoch, email=email)
    token.save(condition=OneTimeToken.digest.does_not_exist())
    return secret


def create_password_link(account: Account) -> str:
    """Store a link that sets an account's password, record the event, and return the secret.

    The operator passes the link to the user, so using the link doesn't verify the address. Raises NotFound when the
    account was deleted.
    """
    token, secret = new_token(account.id, SET_PASSWORD, epoch=account.session_epoch)
    with models.raise_on_condition_failure(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.condition_check(Account, account.id, condition=Account.listed.exists())
        write.save(token, condition=OneTimeToken.digest.does_not_exist())
        record.add_to(write, account.id, kinds.PASSWORD_LINK_MADE, {})
    return secret


def new_token(account_id: str, purpose: str, *, epoch: int, email: str | None = None) -> tuple[OneTimeToken, str]:
    """Return a token for `purpose` that is not stored yet, and its secret.

    `epoch` is the account's `session_epoch`. Ending all sessions raises `session_epoch`, and so invalidates the link.
    `email` is the address to which the link is sent, if any.
    """
    secret = secrets.mint(secrets.MAIL_LINK_KIND)
    expires_at = clock.now_ms() + LIFETIME_S * 1000
    token = OneTimeToken(
        digest=secrets.digest(secret),
        kind=secrets.MAIL_LINK_KIND,
        account_id=account_id,
        purpose=purpose,
        email=email,
        epoch=epoch,
        expires_at=expires_at,
        dies_at=expires_at // 1000 + LIFETIME_S,
    )
    return token, secret


def find_link(secret: str, *purposes: str) -> OneTimeToken:
    """Return the token of a link without consuming it; raise SpentLink if it is invalid or has another purpose."""
    token = OneTimeToken.found(secrets.digest(secret)) if secrets.kind_of(secret) == secrets.MAIL_LINK_KIND else None
    if token is None or token.purpose not in purposes:
        raise SpentLink
    if token.consumed_at is not None or token.expires_at <= clock.now_ms():
        raise SpentLink
    return token


def account_of_link(token: OneTimeToken) -> Account:
    """Return the account of a token; raise SpentLink when the account was deleted or has invalidated the token."""
    account = Account.found(token.account_id)
    if account is None:
        raise SpentLink
    outdated = token.epoch != account.session_epoch and not _is_redundant(token, account)
    moved = token.purpose != CHANGE_EMAIL and token.email not in (None, account.email)
    if not account.listed or outdated or moved:
        raise SpentLink
    return account


def set_password(
    token: OneTimeToken, account: Account, password_hash: str, chosen: PendingTermination | None = None
) -> PendingTermination | None:
    """Consume a link to set the password, and end every session.

    A link that was sent by email also verifies the address. If this is the first verification, the returned termination
    includes everything created earlier. Otherwise `chosen` is returned.
    """
    verification = _verification(account) if token.email is not None else []
    actions = [Account.password_hash.set(password_hash), *verification, Account.session_epoch.add(1)]
    pending = pending_terminations.new(pending_terminations.OF_PROOF, account.id) if verification else chosen
    _use(token, account, actions, kinds.PASSWORD_CHANGED, pending=pending)
    return pending


def verify_email(token: OneTimeToken, account: Account, session: Session | None = None) -> PendingTermination | None:
    """Consume a link to verify the account's address; return the termination that a first verification starts.

    If the browser has a `session` of this account, the session and the password stay valid. Otherwise the password is
    removed, because another user may have set it.
    """
    if account.email_verified_at is not None:
        _use(token, account, [], kinds.EMAIL_VERIFIED)
        return None
    actions = [*_verification(account), Account.session_epoch.set(account.session_epoch + 1)]
    if session is None:
        actions.append(Account.password_hash.remove())
    pending = pending_terminations.new(pending_terminations.OF_PROOF, account.id)
    _use(token, account, actions, kinds.EMAIL_VERIFIED, session, pending=pending)
    return pending


def change_email(token: OneTimeToken, account: Account, session: Session | None = None) -> PendingTermination | None:
    """Consume a link to change the address; return the termination that a first verification starts.

    The account's `session` in this browser stays active. Without a session, an attacker could trick another user into
    confirming their address for the attacker's account. Raises Conflict if another account has the address.
    """
    address, old = parse(str(token.email)), account.email
    if address.claim == old:
        _use(token, account, [], kinds.EMAIL_CHANGED)
        return None
    new, typed = address.claim, Account.typed_email
    pending = (
        pending_terminations.new(pending_terminations.OF_PROOF, account.id)
        if account.email_verified_at is None
        else None
    )
    changes: list[Action] = [Account.email_verified_at.set(clock.now_ms())]
    if pending is not None:
        changes = [*_verification(account), Account.session_epoch.set(account.session_epoch + 1)]
    changes.append(typed.remove() if address.mailbox == new else typed.set(address.mailbox))
    claim = EmailClaim(new, account_id=account.id)
    try:
        with models.transaction() as write:
            _consume(write, token)
            write.save(claim, condition=EmailClaim.email.does_not_exist(), return_values="ALL_OLD")
            record.add_to(write, account.id, kinds.EMAIL_CHANGED, {})
            write.delete(EmailClaim(old), condition=EmailClaim.account_id == account.id)
            write.update(
                Account(account.id),
                actions=[Account.email.set(new), *changes],
                condition=(Account.email == old) & _is_unchanged(token, account),
            )
            if pending is not None:
                _keep_session(write, session, account)
                write.save(pending)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        holder = models.find_failed_write(error, claim)
        # If the address already belongs to this account, a link was used concurrently.
        if holder is not None and holder["account_id"]["S"] != account.id:
            raise errors.Conflict("This address now belongs to another account.") from None
        raise SpentLink from None
    if pending is not None:
        stale_marks.mark(account.id)
    return pending


def _verification(account: Account) -> list[Action]:
    """Return the changes of a first verification, or [] if the address was verified before.

    The changes invalidate all earlier keys and grants, which an attacker may have created. Callers also raise the
    epoch, which ends the sessions.
    """
    if account.email_verified_at is not None:
        return []
    now_ms = clock.now_ms()
    return [Account.email_verified_at.set(now_ms), Account.credentials_since.set(now_ms), Account.live_keys.set({})]


def _use(
    token: OneTimeToken,
    account: Account,
    actions: list[Action],
    kind: str,
    session: Session | None = None,
    *,
    pending: PendingTermination | None = None,
) -> None:
    condition = _is_unchanged(token, account)
    with models.raise_on_condition_failure(SpentLink()), models.transaction() as write:
        _consume(write, token)
        if actions:
            write.update(Account(account.id), actions=actions, condition=condition)
            record.add_to(write, account.id, kind, {})
            _keep_session(write, session, account)
            if pending is not None:
                write.save(pending)
        else:
            write.condition_check(Account, account.id, condition=condition)
    stale_marks.mark(account.id)


def _keep_session(write: models.Transaction, session: Session | None, account: Account) -> None:
    """Keep one session active in a transaction that ends all other sessions of the account by raising the epoch."""
    if session is not None:
        epoch = account.session_epoch + 1
        write.update(Session(session.digest), actions=[Session.epoch.set(epoch)], condition=Session.id.exists())


def _is_unchanged(token: OneTimeToken, account: Account) -> Condition:
    """Return the condition that the account hasn't changed since `account_of_link` and `_verification` checked it."""
    verified_at = Account.email_verified_at
    condition: Condition = Account.listed.exists()
    if account.email_verified_at is None:
        # The new epoch is computed from `account.session_epoch`, so the stored epoch must still have this value.
        condition &= verified_at.does_not_exist() & (Account.session_epoch == account.session_epoch)
    else:
        condition &= verified_at.exists()
    if not _is_redundant(token, account):
        condition &= Account.session_epoch == token.epoch
    if token.email is not None and token.purpose != CHANGE_EMAIL:
        condition &= Account.email == token.email
    return condition


def _is_redundant(token: OneTimeToken, account: Account) -> bool:
    """Return whether a link would verify an address that is already verified. Using such a link changes nothing."""
    return token.purpose == VERIFY_EMAIL and account.is_verified


def _consume(write: models.Transaction, token: OneTimeToken) -> None:
    """Consume the token in a transaction. Of several concurrent transactions with this write, only one succeeds."""
    now_ms = clock.now_ms()
    write.update(
        OneTimeToken(token.digest),
        actions=[OneTimeToken.consumed_at.set(now_ms)],
        condition=OneTimeToken.consumed_at.does_not_exist() & (OneTimeToken.expires_at > now_ms),
    )
