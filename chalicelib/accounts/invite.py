"""Create an account for another user, as an administrator or the operator, with a link by which the user sets a
password.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.accounts import create, email_links
from chalicelib.accounts.tables import Account, OneTimeToken
from chalicelib.core.dynamodb import models
from chalicelib.limits.tiers import Tier

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Recording


@dataclass(frozen=True, slots=True)
class Invited:
    """A new account, and the secret of the link that sets its password. The secret is not stored."""

    account: Account
    link: str = field(repr=False)


def invite(
    *, email: str, name: str, tier: Tier, admin: bool = False, once: "Recording[Invited] | None" = None
) -> Invited:
    """Create an account without a password, and a link to set one, in one transaction.

    `once` records the idempotent request. Raises InvalidRequest for an invalid `email`, Conflict if an account has the
    address.
    """
    invited: list[Invited] = []

    def add_link(write: models.Transaction, account: Account) -> None:
        token, secret = email_links.new_token(account.id, email_links.SET_PASSWORD, epoch=account.session_epoch)
        write.save(token, condition=OneTimeToken.digest.does_not_exist())
        invited.append(Invited(account, secret))
        if once is not None:
            once.add_to(write, invited[-1])

    create.create_account(email=email, name=name, tier=tier, admin=admin, beside=add_link)
    # The transaction may have been tried several times, each time with a new link. Only the link of the last try is
    # stored.
    return invited[-1]
