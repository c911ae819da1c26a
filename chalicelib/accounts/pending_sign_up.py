"""A sign-up whose address has yet to be verified: a one-time token and nothing else.

Whoever signed up may be a stranger to the address. So there is no account, no claim on the address and no session until
the link in the mail is used; and the password that they chose counts only in the browser in which they chose it, since
elsewhere the link may have been opened by somebody else.
"""

import hmac
from dataclasses import dataclass

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action

from chalicelib.accounts import create, email_links, find
from chalicelib.accounts.tables import Account, OneTimeToken
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.limits.tiers import FREE

PURPOSE = "sign_up"
AFTER_MAX = 8_192
"""As long as a URL may be that comes here. What is longer is forgotten: cut, it would lead somewhere else."""


@dataclass(frozen=True, slots=True)
class PendingSignUp:
    """What is asked for: the address as it was typed, and what an account is to be made of."""

    email: str
    name: str
    password_hash: str
    browser: str
    """The digest of the browser's pre-session cookie."""
    after: str = ""
    """The page to go on to in that browser."""

    def __repr__(self) -> str:
        """Leave everything out of logs and tracebacks."""
        return "PendingSignUp()"


class HasAccount(errors.LatchkeyError):
    """The address has an account by now; whoever opened the link that was sent there may know."""

    status, error = 409, "conflict"

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__("This address already has an account. Log in, or reset your password.")


def new_token(asked: PendingSignUp) -> str:
    """Store a sign-up and return the secret of its token, which belongs into one mail and nowhere else."""
    ticket, secret = email_links.unsaved(find.NO_ACCOUNT, PURPOSE, epoch=0)
    ticket.email, ticket.name, ticket.password_hash = asked.email, asked.name, asked.password_hash
    ticket.browser, ticket.after = asked.browser, _whole(asked.after)
    ticket.save(condition=OneTimeToken.digest.does_not_exist())
    return secret


def _whole(after: str) -> str | None:
    return after if 0 < len(after) <= AFTER_MAX else None


def is_same_browser(ticket: OneTimeToken, browser: str) -> bool:
    """Return whether the browser with this digest of a pre-session cookie is the one that signed up."""
    return bool(browser) and hmac.compare_digest(ticket.browser or "", browser)


def make_account(ticket: OneTimeToken, *, name: str, password_hash: str) -> Account:
    """Spend a token on the account, its claim on the address and what is recorded of both: one transaction.

    Raises SpentLink when the token was spent or is too old, and HasAccount when the address has an account by now.
    """
    now_ms = clock.now_ms()
    account = create.unstored(email=str(ticket.email), name=name, tier=FREE, password_hash=password_hash)
    account.email_verified_at = now_ms

    def spend(write: models.Transaction) -> None:
        # Of two uses at once one wins. What the token held goes: it stands in the account now.
        actions: list[Action] = [OneTimeToken.consumed_at.set(now_ms)]
        actions += [
            each.remove()
            for each in (OneTimeToken.email, OneTimeToken.name, OneTimeToken.password_hash, OneTimeToken.browser)
        ]
        unspent = OneTimeToken.consumed_at.does_not_exist() & (OneTimeToken.expires_at > now_ms)
        write.update(OneTimeToken(ticket.digest), actions=actions, condition=unspent)
        record.add_to(write, account.id, kinds.EMAIL_VERIFIED, {})

    try:
        create.store(account, spend)
    except errors.Conflict as error:
        # Of the same token, used twice, the address is no news.
        cause = error.__cause__
        if (
            isinstance(cause, TransactWriteError)
            and models.refused_write(cause, OneTimeToken(ticket.digest)) is not None
        ):
            raise email_links.SpentLink from None
        raise HasAccount from None
    except TransactWriteError as error:
        if not models.refused(error):
            raise
        raise email_links.SpentLink from None
    return account
