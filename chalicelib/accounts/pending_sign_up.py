"""Sign-ups whose email address isn't verified yet. Each is stored only as a one-time token.

The user who signed up may not own the address. Therefore the user, the account, the email claim and the session
are created only when the link in the email is used. The password from the sign-up is kept only if the link is opened in
the browser that signed up, because another browser may be that of another user.
"""

import hmac
from dataclasses import dataclass

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action

from chalicelib.accounts import create, email_links, find
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import OneTimeToken
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.limits.tiers import FREE

PURPOSE = "sign_up"
AFTER_MAX = 8_192
"""Maximum length of the URL at which the browser continues after the sign-up. A longer URL is ignored, because a
truncated one would be a different URL.
"""


@dataclass(frozen=True, slots=True)
class PendingSignUp:
    """The data of a sign-up. `email` is the address as the user typed it."""

    email: str
    name: str
    password_hash: str
    browser: str
    """Digest of the browser's pre-session cookie."""
    after: str = ""
    """The URL at which that browser continues after the sign-up."""

    def __repr__(self) -> str:
        """Return a text without the field values, because they are personal data or secrets."""
        return "PendingSignUp()"


class HasUser(errors.LatchkeyError):
    """A user already has the address. The user who opened the link owns the address, so the response may say so."""

    status, error = 409, "conflict"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("This address already has an account. Log in, or reset your password.")


def new_token(sign_up: PendingSignUp) -> str:
    """Store a sign-up and return the secret of its token, which must appear only in one email."""
    token, secret = email_links.new_token(find.NO_USER, PURPOSE, epoch=0)
    token.email, token.name, token.password_hash = sign_up.email, sign_up.name, sign_up.password_hash
    token.browser, token.after = sign_up.browser, _unless_too_long(sign_up.after)
    token.save(condition=OneTimeToken.digest.does_not_exist())
    return secret


def _unless_too_long(after: str) -> str | None:
    return after if 0 < len(after) <= AFTER_MAX else None


def is_same_browser(token: OneTimeToken, browser: str) -> bool:
    """Return whether the browser with this digest of its pre-session cookie is the one that signed up."""
    return bool(browser) and hmac.compare_digest(token.browser or "", browser)


def make_account(token: OneTimeToken, *, name: str, password_hash: str) -> Membership:
    """Consume a token and create the user, their email claim and their account, in one transaction.

    Raises SpentLink when the token was used or has expired, and HasUser when a user already has the address.
    """
    now_ms = clock.now_ms()
    user = create.new_user(email=str(token.email), name=name, password_hash=password_hash)
    user.email_verified_at = now_ms
    new = create.new_membership(user, name, FREE)

    def consume(write: models.Transaction) -> None:
        # Of two concurrent uses one fails. The token's data is removed, because it is now stored in the user.
        actions: list[Action] = [OneTimeToken.consumed_at.set(now_ms)]
        actions += [
            each.remove()
            for each in (OneTimeToken.email, OneTimeToken.name, OneTimeToken.password_hash, OneTimeToken.browser)
        ]
        unspent = OneTimeToken.consumed_at.does_not_exist() & (OneTimeToken.expires_at > now_ms)
        write.update(OneTimeToken(token.digest), actions=actions, condition=unspent)
        record.add_to(write, user.id, kinds.EMAIL_VERIFIED, {})

    try:
        create.store(new, consume)
    except errors.Conflict as error:
        # If the token was consumed too, a concurrent request with the same token has created the user.
        cause = error.__cause__
        if (
            isinstance(cause, TransactWriteError)
            and models.find_failed_write(cause, OneTimeToken(token.digest)) is not None
        ):
            raise email_links.SpentLink from None
        raise HasUser from None
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        raise email_links.SpentLink from None
    return new
