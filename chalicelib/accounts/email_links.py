"""One-time links sent to a person: what each may be used for, for one hour, once.

Using one and what it does are a single transaction: of two uses at once one wins, and a mail scanner that only looks
spends nothing.
"""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.accounts import unfinished
from chalicelib.accounts.email_address import parsed
from chalicelib.accounts.tables import Account, Email, OneTimeToken, Session
from chalicelib.accounts.unfinished import Unfinished
from chalicelib.core import clock, errors, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks

LIVES_S = 3_600
SET_PASSWORD = "set_password"  # noqa: S105 - a purpose, no password
VERIFY_EMAIL = "verify_email"
CHANGE_EMAIL = "change_email"


class SpentLink(errors.LatchkeyError):
    """The link is unknown, used or too old; the three look alike."""

    status, error = 410, "spent_link"

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__("This link was already used or has expired. Request a new one.")


def new_link(account_id: str, purpose: str, *, epoch: int, email: str | None = None) -> str:
    """Store a ticket for `purpose` and return its secret, which belongs into one URL and nowhere else."""
    ticket, secret = unsaved(account_id, purpose, epoch=epoch, email=email)
    ticket.save(condition=OneTimeToken.digest.does_not_exist())
    return secret


def handed_over(account: Account) -> str:
    """Store a link that sets an account's password, record that it was made, and return its secret, as above.

    For the operator, who hands it over by hand: it proves no address. Raises NotFound when the account is gone.
    """
    ticket, secret = unsaved(account.id, SET_PASSWORD, epoch=account.session_epoch)
    with models.refused_as(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.condition_check(Account, account.id, condition=Account.listed.exists())
        write.save(ticket, condition=OneTimeToken.digest.does_not_exist())
        record.add_to(write, account.id, kinds.PASSWORD_LINK_MADE, {})
    return secret


def unsaved(account_id: str, purpose: str, *, epoch: int, email: str | None = None) -> tuple[OneTimeToken, str]:
    """Return a ticket for `purpose` that is to be stored with something else, and its secret.

    `epoch` is the account's `session_epoch`: a link is void when sessions are, since one that was handed over, asked
    for with a stolen password or sent to a mailbox that is lost must not outlive what was done about it. `email` is the
    address it is sent to, if it is.
    """
    secret = secrets.mint(secrets.MAIL_LINK_KIND)
    expires_at = clock.now_ms() + LIVES_S * 1000
    ticket = OneTimeToken(
        digest=secrets.digest(secret),
        kind=secrets.MAIL_LINK_KIND,
        account_id=account_id,
        purpose=purpose,
        email=email,
        epoch=epoch,
        expires_at=expires_at,
        dies_at=expires_at // 1000 + LIVES_S,
    )
    return ticket, secret


def looked_up(secret: str, *purposes: str) -> OneTimeToken:
    """Return the ticket of a link for one of these purposes without spending it; raise SpentLink for any other."""
    ticket = OneTimeToken.found(secrets.digest(secret)) if secrets.kind_of(secret) == secrets.MAIL_LINK_KIND else None
    if ticket is None or ticket.purpose not in purposes:
        raise SpentLink
    if ticket.consumed_at is not None or ticket.expires_at <= clock.now_ms():
        raise SpentLink
    return ticket


def account_of(ticket: OneTimeToken) -> Account:
    """Return the account a link is for; raise SpentLink when it is gone, or the link void for it."""
    account = Account.found(ticket.account_id)
    if account is None:
        raise SpentLink
    outdated = ticket.epoch != account.session_epoch and not _is_moot(ticket, account)
    moved = ticket.purpose != CHANGE_EMAIL and ticket.email not in (None, account.email)
    if not account.listed or outdated or moved:
        raise SpentLink
    return account


def set_password(
    ticket: OneTimeToken, account: Account, password_hash: str, chosen: Unfinished | None = None
) -> Unfinished | None:
    """Spend a link on another password. Every session is over; the address is proven where the link was mailed to it.

    One that the operator or an administrator handed over says nothing about whose the address is. Return the ending
    that this began: of what was there before the first proof, else of what its user has `chosen`.
    """
    proven = _proven(account) if ticket.email is not None else []
    actions = [Account.password_hash.set(password_hash), *proven, Account.session_epoch.add(1)]
    ending = unfinished.new(unfinished.OF_PROOF, account.id) if proven else chosen
    _spend(ticket, account, actions, kinds.PASSWORD_CHANGED, ending=ending)
    return ending


def verify_email(ticket: OneTimeToken, account: Account, session: Session | None = None) -> Unfinished | None:
    """Spend a link on proving the account's address, and return the ending of what was there before its first proof.

    `session` is one of this account in the browser that used the link: it goes on, and with it the password that opened
    it. Without one, whoever chose the password may be somebody else, so it ends too.
    """
    if account.email_verified_at is not None:
        _spend(ticket, account, [], kinds.EMAIL_VERIFIED)
        return None
    actions = [*_proven(account), Account.session_epoch.set(account.session_epoch + 1)]
    if session is None:
        actions.append(Account.password_hash.remove())
    ending = unfinished.new(unfinished.OF_PROOF, account.id)
    _spend(ticket, account, actions, kinds.EMAIL_VERIFIED, session, ending=ending)
    return ending


def change_email(ticket: OneTimeToken, account: Account, session: Session | None = None) -> Unfinished | None:
    """Spend a link on another address, and return the ending of what was there before any was proven.

    Only for a browser with a `session` of this account, which goes on: in any other, whoever has the new address could
    give it to an account that isn't theirs. An account that has the address already, by another link, keeps it. Raises
    Conflict when it is another account's by now.
    """
    address, old = parsed(str(ticket.email)), account.email
    if address.claim == old:
        _spend(ticket, account, [], kinds.EMAIL_CHANGED)
        return None
    new, typed = address.claim, Account.typed_email
    ending = unfinished.new(unfinished.OF_PROOF, account.id) if account.email_verified_at is None else None
    proven: list[Action] = [Account.email_verified_at.set(clock.now_ms())]
    if ending is not None:
        proven = [*_proven(account), Account.session_epoch.set(account.session_epoch + 1)]
    proven.append(typed.remove() if address.mailbox == new else typed.set(address.mailbox))
    claim = Email(new, account_id=account.id)
    try:
        with models.transaction() as write:
            _consume(write, ticket)
            write.save(claim, condition=Email.email.does_not_exist(), return_values="ALL_OLD")
            record.add_to(write, account.id, kinds.EMAIL_CHANGED, {})
            write.delete(Email(old), condition=Email.account_id == account.id)
            write.update(
                Account(account.id),
                actions=[Account.email.set(new), *proven],
                condition=(Account.email == old) & _still_meant(ticket, account),
            )
            if ending is not None:
                _keep(write, session, account)
                write.save(ending)
    except TransactWriteError as error:
        if not models.refused(error):
            raise
        holder = models.refused_write(error, claim)
        # Of several uses at once, of this link or of two, one has moved the account there: that is no other's address.
        if holder is not None and holder["account_id"]["S"] != account.id:
            raise errors.Conflict("This address now belongs to another account.") from None
        raise SpentLink from None
    if ending is not None:
        stale_marks.mark(account.id)
    return ending


def _proven(account: Account) -> list[Action]:
    """Return what verifying an address for the first time changes: the keys and grants of before end.

    Somebody else may have made the account and waited for its owner. With the epoch, which callers raise, sessions end.
    """
    if account.email_verified_at is not None:
        return []
    now_ms = clock.now_ms()
    return [Account.email_verified_at.set(now_ms), Account.credentials_since.set(now_ms), Account.live_keys.set({})]


def _spend(
    ticket: OneTimeToken,
    account: Account,
    actions: list[Action],
    kind: str,
    session: Session | None = None,
    *,
    ending: Unfinished | None = None,
) -> None:
    condition = _still_meant(ticket, account)
    with models.refused_as(SpentLink()), models.transaction() as write:
        _consume(write, ticket)
        if actions:
            write.update(Account(account.id), actions=actions, condition=condition)
            record.add_to(write, account.id, kind, {})
            _keep(write, session, account)
            if ending is not None:
                write.save(ending)
        else:
            write.condition_check(Account, account.id, condition=condition)
    stale_marks.mark(account.id)


def _keep(write: models.Transaction, session: Session | None, account: Account) -> None:
    """Add to a transaction that ends an account's sessions: this one goes on."""
    if session is not None:
        epoch = account.session_epoch + 1
        write.update(Session(session.digest), actions=[Session.epoch.set(epoch)], condition=Session.id.exists())


def _still_meant(ticket: OneTimeToken, account: Account) -> Condition:
    """What `account_of` and `_proven` have read must still be so when the link is spent."""
    proven = Account.email_verified_at
    condition: Condition = Account.listed.exists()
    if account.email_verified_at is None:
        # The epoch too: what ends with this proof is raised from what was read.
        condition &= proven.does_not_exist() & (Account.session_epoch == account.session_epoch)
    else:
        condition &= proven.exists()
    if not _is_moot(ticket, account):
        condition &= Account.session_epoch == ticket.epoch
    if ticket.email is not None and ticket.purpose != CHANGE_EMAIL:
        condition &= Account.email == ticket.email
    return condition


def _is_moot(ticket: OneTimeToken, account: Account) -> bool:
    """Tell whether a link proves what is proven: of two that were sent the second says so, and does nothing."""
    return ticket.purpose == VERIFY_EMAIL and account.is_verified


def _consume(write: models.Transaction, ticket: OneTimeToken) -> None:
    """Add to a transaction: the ticket is spent. Its condition decides between two uses at once."""
    now_ms = clock.now_ms()
    write.update(
        OneTimeToken(ticket.digest),
        actions=[OneTimeToken.consumed_at.set(now_ms)],
        condition=OneTimeToken.consumed_at.does_not_exist() & (OneTimeToken.expires_at > now_ms),
    )
