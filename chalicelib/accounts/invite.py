"""An account that an administrator or the operator makes for somebody, with a link to set a password: both, or neither.

The link ends when sessions do, as every link.
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
    """A new account and, this once, the secret of its link."""

    account: Account
    link: str = field(repr=False)


def invite(
    *, email: str, name: str, tier: Tier, admin: bool = False, once: "Recording[Invited] | None" = None
) -> Invited:
    """Make an account without a password and a link to set one; `once` records the request that asked for it.

    Raises InvalidRequest when `email` is no address, Conflict when an account has it.
    """
    invited: list[Invited] = []

    def with_a_link(write: models.Transaction, account: Account) -> None:
        ticket, secret = email_links.unsaved(account.id, email_links.SET_PASSWORD, epoch=account.session_epoch)
        write.save(ticket, condition=OneTimeToken.digest.does_not_exist())
        invited.append(Invited(account, secret))
        if once is not None:
            once.add_to(write, invited[-1])

    create.create_account(email=email, name=name, tier=tier, admin=admin, beside=with_a_link)
    # The transaction may have been tried again: the last try is the one that stands.
    return invited[-1]
