"""The first verification of an email address ends everything that was created under the address before.

An attacker may have created it: where no email is sent, anyone can sign up with somebody else's address. The
verification immediately ends the user's sessions, credentials and consents, and everything in the accounts that the
user created, including other memberships. A job follows for what the user created in other accounts.
"""

from dataclasses import dataclass

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.accounts import members
from chalicelib.accounts.members import Membership
from chalicelib.accounts.roles import OWNER
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import clock
from chalicelib.core.dynamodb import models
from chalicelib.jobs import progress
from chalicelib.jobs.tables import Job


@dataclass(frozen=True, slots=True)
class FirstProof:
    """The first verification of an address.

    `pending` is the job that deletes what was created before, and `changes` are the changes of the user.
    """

    pending: Job
    changes: list[Action]
    created: list[Membership]
    """The user's memberships of the accounts that the user created."""

    def add_to(self, write: models.Transaction) -> None:
        """Add the changes of the accounts, and the job, to the transaction that changes the user."""
        for each in self.created:
            _end_credentials(write, each, self.pending.began_at, condition=Account.id.exists())
        write.save(self.pending)


def of(user: User) -> FirstProof | None:
    """Return the first verification of the user's address, or None if it was verified before."""
    if user.email_verified_at is not None:
        return None
    pending = progress.new(progress.OF_PROOF, user.id, waits=True)
    changes = [User.email_verified_at.set(pending.began_at), User.credentials_since.set(pending.began_at)]
    created = [each for each in members.all_of(user) if is_of_creator(each)]
    return FirstProof(pending, changes, created)


def end_later_creations(user: User, began_at: int) -> User:
    """End what was created between the time of the first verification, `began_at`, and its commit; return the user.

    Members of the user's accounts could create it, because their requests were valid until the commit. Nothing happens
    if this was done before.
    """
    now_ms = clock.now_ms()
    for each in members.all_of(user):
        if is_of_creator(each):
            with models.ignore_condition_failure(), models.transaction() as write:
                _end_credentials(write, each, now_ms, condition=Account.credentials_since == began_at)
    with models.ignore_condition_failure():
        user.update(actions=[User.credentials_since.set(now_ms)], condition=User.credentials_since == began_at)
    return user


def _end_credentials(write: models.Transaction, created: Membership, now_ms: int, *, condition: Condition) -> None:
    """Add to a transaction the end of all credentials and other memberships of an account that the user created."""
    write.update(
        Account(created.account.id),
        actions=[Account.credentials_since.set(now_ms), Account.live_keys.set({}), Account.owners.set(1)],
        condition=condition,
    )
    # Of all memberships only the user's own remains valid.
    write.update(
        Member(created.account.id, created.user.id),
        actions=[Member.since.set(now_ms)],
        condition=Member.role == OWNER,
    )


def is_of_creator(membership: Membership) -> bool:
    """Return whether everything in the account was made under the address of this user, who created it and owns it.

    An account that the user has handed over belongs to others, who may have verified their addresses.
    """
    return membership.account.created_by == membership.user.id and membership.role == OWNER


def was_handed_over(membership: Membership) -> bool:
    """Return whether the user, who has verified the address, created the account and was no owner of it by then."""
    account, user = membership.account, membership.user
    is_of_before = account.created_by == user.id and user.predates_verification(account.created_at)
    # The verification sets both times of an account that the user still owns.
    return is_of_before and membership.role != OWNER and account.credentials_since < user.credentials_since
