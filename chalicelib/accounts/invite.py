"""Create an account for a new user, as an administrator or the operator, with a link to set the password."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.accounts import create, email_links
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import OneTimeToken
from chalicelib.core.dynamodb import models
from chalicelib.limits.tiers import Tier

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Recording


@dataclass(frozen=True, slots=True)
class Invited:
    """A new account with its owner, and the secret of the link that sets the owner's password.

    The secret is not stored.
    """

    membership: Membership
    link: str = field(repr=False)


def invite(
    *, email: str, name: str, tier: Tier, admin: bool = False, once: "Recording[Invited] | None" = None
) -> Invited:
    """Create an account without a password, and a link to set one, in one transaction.

    `once` records the idempotent request. Raises InvalidRequest for an invalid `email`, Conflict if a user has
    the address.
    """
    invited: list[Invited] = []

    def add_link(write: models.Transaction, new: Membership) -> None:
        token, secret = email_links.new_token(new.user.id, email_links.SET_PASSWORD, epoch=new.user.session_epoch)
        write.save(token, condition=OneTimeToken.digest.does_not_exist())
        invited.append(Invited(new, secret))
        if once is not None:
            once.add_to(write, invited[-1])

    create.create_account(email=email, name=name, tier=tier, admin=admin, beside=add_link)
    # The transaction may have been tried several times, each time with a new link. Only the link of the last try is
    # stored.
    return invited[-1]
