"""One-time links, sent by email, that set a password, verify an email address or change it. They expire after one hour.

One transaction consumes the link and makes the change, so of two concurrent uses one fails. Opening the page doesn't
consume the link, because email scanners open links.
"""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.accounts import first_proof, invalidation
from chalicelib.accounts.email_address import parse
from chalicelib.accounts.first_proof import FirstProof
from chalicelib.accounts.tables import EmailClaim, OneTimeToken, Session, User
from chalicelib.core import clock, errors, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.jobs.tables import Job

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


def new_link(user_id: str, purpose: str, *, epoch: int, email: str | None = None) -> str:
    """Store a token for `purpose` and return its secret, which must appear only in one URL."""
    token, secret = new_token(user_id, purpose, epoch=epoch, email=email)
    token.save(condition=OneTimeToken.digest.does_not_exist())
    return secret


def create_password_link(user: User) -> str:
    """Store a link that sets a user's password, record the event, and return the secret.

    The operator passes the link to the user, so using the link doesn't verify the address. Raises NotFound when the
    user was deleted.
    """
    token, secret = new_token(user.id, SET_PASSWORD, epoch=user.session_epoch)
    with models.raise_on_condition_failure(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.condition_check(User, user.id, condition=User.listed.exists())
        write.save(token, condition=OneTimeToken.digest.does_not_exist())
        record.add_to(write, user.id, kinds.PASSWORD_LINK_MADE, {})
    return secret


def new_token(user_id: str, purpose: str, *, epoch: int, email: str | None = None) -> tuple[OneTimeToken, str]:
    """Return a token for `purpose` that is not stored yet, and its secret.

    `epoch` is the user's `session_epoch`. Ending all sessions raises `session_epoch`, and so invalidates the link.
    `email` is the address to which the link is sent, if any.
    """
    secret = secrets.mint(secrets.MAIL_LINK_KIND)
    expires_at = clock.now_ms() + LIFETIME_S * 1000
    token = OneTimeToken(
        digest=secrets.digest(secret),
        kind=secrets.MAIL_LINK_KIND,
        user_id=user_id,
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


def user_of_link(token: OneTimeToken) -> User:
    """Return the user of a token; raise SpentLink when the user was deleted or has invalidated the token."""
    user = User.found(token.user_id)
    if user is None:
        raise SpentLink
    outdated = token.epoch != user.session_epoch and not _is_redundant(token, user)
    moved = token.purpose != CHANGE_EMAIL and token.email not in (None, user.email)
    if not user.listed or outdated or moved:
        raise SpentLink
    return user


def set_password(token: OneTimeToken, user: User, password_hash: str, chosen: Job | None = None) -> Job | None:
    """Consume a link to set the password, and end every session.

    A link that was sent by email also verifies the address. If this is the first verification, the returned job
    includes everything created earlier. Otherwise `chosen` is returned.
    """
    proof = first_proof.of(user) if token.email is not None else None
    changes = [*(proof.changes if proof else ()), User.password_hash.set(password_hash), User.session_epoch.add(1)]
    _use(token, user, changes, kinds.PASSWORD_CHANGED, proof=proof, pending=chosen)
    return chosen if proof is None else proof.pending


def verify_email(token: OneTimeToken, user: User, session: Session | None = None) -> Job | None:
    """Consume a link to verify the user's address; return the job that a first verification starts.

    If the browser has a `session` of this user, the session and the password stay valid. Otherwise the password is
    removed, because another user may have set it.
    """
    proof = first_proof.of(user)
    if proof is None:
        _use(token, user, [], kinds.EMAIL_VERIFIED)
        return None
    changes = [*proof.changes, User.session_epoch.set(user.session_epoch + 1)]
    if session is None:
        changes.append(User.password_hash.remove())
    _use(token, user, changes, kinds.EMAIL_VERIFIED, session, proof=proof)
    return proof.pending


def change_email(token: OneTimeToken, user: User, session: Session | None = None) -> Job | None:
    """Consume a link to change the address; return the job that a first verification starts.

    The user's `session` in this browser stays active. Without a session, an attacker could trick another user into
    confirming their address for the attacker's log-in. Raises Conflict if another user has the address.
    """
    address, old = parse(str(token.email)), user.email
    if address.claim == old:
        _use(token, user, [], kinds.EMAIL_CHANGED)
        return None
    new, typed = address.claim, User.typed_email
    proof = first_proof.of(user)
    changes: list[Action] = [User.email_verified_at.set(clock.now_ms())]
    if proof is not None:
        changes = [*proof.changes, User.session_epoch.set(user.session_epoch + 1)]
    changes.append(typed.remove() if address.mailbox == new else typed.set(address.mailbox))
    claim = EmailClaim(new, user_id=user.id)
    try:
        with models.transaction() as write:
            _consume(write, token)
            write.save(claim, condition=EmailClaim.email.does_not_exist(), return_values="ALL_OLD")
            record.add_to(write, user.id, kinds.EMAIL_CHANGED, {})
            write.delete(EmailClaim(old), condition=EmailClaim.user_id == user.id)
            write.update(
                User(user.id),
                actions=[User.email.set(new), *changes],
                condition=(User.email == old) & _is_unchanged(token, user),
            )
            if proof is not None:
                _keep_session(write, session, user)
                proof.add_to(write)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        holder = models.find_failed_write(error, claim)
        # If the address already belongs to this user, a link was used concurrently.
        if holder is not None and holder["user_id"]["S"] != user.id:
            raise errors.Conflict("This address now belongs to another user.") from None
        raise SpentLink from None
    if proof is not None:
        invalidation.mark_user(user.id)
    return None if proof is None else proof.pending


def _use(
    token: OneTimeToken,
    user: User,
    actions: list[Action],
    kind: str,
    session: Session | None = None,
    *,
    proof: FirstProof | None = None,
    pending: Job | None = None,
) -> None:
    condition = _is_unchanged(token, user)
    with models.raise_on_condition_failure(SpentLink()), models.transaction() as write:
        _consume(write, token)
        if actions:
            write.update(User(user.id), actions=actions, condition=condition)
            record.add_to(write, user.id, kind, {})
            _keep_session(write, session, user)
            if proof is not None:
                proof.add_to(write)
            elif pending is not None:
                write.save(pending)
        else:
            write.condition_check(User, user.id, condition=condition)
    invalidation.mark_user(user.id)


def _keep_session(write: models.Transaction, session: Session | None, user: User) -> None:
    """Keep one session active in a transaction that ends all other sessions of the user by raising the epoch."""
    if session is not None:
        epoch = user.session_epoch + 1
        write.update(Session(session.digest), actions=[Session.epoch.set(epoch)], condition=Session.id.exists())


def _is_unchanged(token: OneTimeToken, user: User) -> Condition:
    """Return the condition that the user hasn't changed since `user_of_link` and `first_proof.of` checked them."""
    verified_at = User.email_verified_at
    condition: Condition = User.listed.exists()
    if user.email_verified_at is None:
        # The new epoch is computed from `user.session_epoch`, so the stored epoch must still have this value. The
        # accounts are changed in the same transaction, so their list must be unchanged, too.
        condition &= verified_at.does_not_exist() & (User.session_epoch == user.session_epoch)
        condition &= User.account_ids == user.account_ids if user.account_ids else User.account_ids.does_not_exist()
    else:
        condition &= verified_at.exists()
    if not _is_redundant(token, user):
        condition &= User.session_epoch == token.epoch
    if token.email is not None and token.purpose != CHANGE_EMAIL:
        condition &= User.email == token.email
    return condition


def _is_redundant(token: OneTimeToken, user: User) -> bool:
    """Return whether a link would verify an address that is already verified. Using such a link changes nothing."""
    return token.purpose == VERIFY_EMAIL and user.is_verified


def _consume(write: models.Transaction, token: OneTimeToken) -> None:
    """Consume the token in a transaction. Of several concurrent transactions with this write, only one succeeds."""
    now_ms = clock.now_ms()
    write.update(
        OneTimeToken(token.digest),
        actions=[OneTimeToken.consumed_at.set(now_ms)],
        condition=OneTimeToken.consumed_at.does_not_exist() & (OneTimeToken.expires_at > now_ms),
    )
