"""Remove a member from an account, or leave it. The departed user's keys are revoked, or moved to the account's service
user with their rights as they were.

The transaction that deletes the membership also changes the user's active keys, at most 20. From then on the user's
credentials are rejected. A job follows for what the index of credentials didn't return yet, and for the user's
grants and consents in the account. Only keys that were accepted until then are moved: otherwise a key from an earlier
membership, or from before the first verification of an address, would be accepted again.
"""

import sys
from dataclasses import dataclass

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action

from chalicelib.accounts import invalidation, managers, member_roles, members, roles
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials import revoke
from chalicelib.credentials.find import keys_of
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record
from chalicelib.jobs import progress
from chalicelib.jobs.progress import BATCH
from chalicelib.jobs.tables import Job
from chalicelib.limits import stale_marks
from chalicelib.oauth import consent, grants

REVOKE, MOVE, UNDO = "revoke", "move", "undo"
CHOICES = (REVOKE, MOVE)
"""What happens to the keys of a departed user. UNDO revokes them and ends everything else that the user created, too
(see `undone_membership`); nobody can choose it.
"""


@dataclass(frozen=True, slots=True)
class Departed:
    """A membership that was removed, and what happens to its keys."""

    user_id: str
    role: str
    since: int
    """The time (ms) at which it began."""
    keys: str

    @property
    def as_set(self) -> set[str]:
        """Return the values as a job stores them."""
        return {self.user_id, self.role, str(self.since), self.keys}

    @property
    def created_from(self) -> int:
        """Return the earliest creation time (ms) of a credential of this membership. Clocks may differ."""
        return self.since - stale_marks.CLOCK_SKEW_S * 1000

    def has_valid(self, key: Credential, *issuers: Account | User | None) -> bool:
        """Return whether a key was accepted until the removal, as `credentials.verify` checks it."""
        if not key.is_live() or key.created_at < self.created_from:
            return False
        return not any(each is None or each.predates_verification(key.created_at) for each in issuers)


def departed_of(job: Job) -> Departed:
    """Return the membership whose removal stored the job."""
    values = set(job.chosen)
    user_id = next(each for each in values if each.startswith("usr_"))
    (role,) = values & set(roles.ALL)
    (keys,) = values & {REVOKE, MOVE, UNDO}
    (since,) = values - {user_id, role, keys}
    return Departed(user_id, role, int(since), keys)


def remove(manager: Manager, user_id: str, keys: str) -> Job:
    """Remove a member, who may be the manager. `keys` is REVOKE, MOVE or UNDO; only admins can choose to move.

    Raises NotFound if there is no such member, InsufficientRole if the manager may not remove a member with this role,
    and Conflict if the member is the last owner or was changed concurrently. Raises Unavailable if the member is
    removed but the invalidation mark couldn't be set.
    """
    present = member_roles.member_of(manager.account_id, user_id)
    if manager.user_id != user_id:
        managers.require_may_give(manager, present.role)
    elif manager.role != present.role:
        raise member_roles.role_changed()
    if keys == MOVE and not roles.has_rights_of(manager.role, roles.ADMIN):
        raise errors.InsufficientRole(roles.ADMIN)
    departed = Departed(user_id, present.role, present.member.since, keys)
    # The time distinguishes this removal from an earlier one of the same user, whose job may not be finished.
    removal = f"{user_id}#{clock.now_ms()}"
    pending = progress.new_choice(progress.OF_MEMBER, manager.account_id, departed.as_set, by=removal)
    active = [
        key
        for key in keys_of(manager.account_id)
        if key.user_id == user_id and departed.has_valid(key, present.account, present.user)
    ]
    try:
        with models.transaction() as write:
            members.remove_from(write, present.member, manager)
            if keys == MOVE:
                for key in active:
                    _move(write, key, present.role)
            record.add_to(write, manager.account_id, kinds.MEMBER_REMOVED, {"user": user_id, "role": present.role})
            write.save(pending)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        raise member_roles.changed_meanwhile(error, present) from None
    if not invalidation.mark_account(manager.account_id):
        raise errors.Unavailable("The member is removed, but their keys may be accepted for up to 5 more minutes.")
    return pending


def finish(job: Job) -> bool:
    """Revoke or move one batch of what the departed user has left in the account; return whether nothing remains.

    A user who has joined again meanwhile keeps what they created since. Everything earlier ends, also what another
    request created while this one was removing the user.
    """
    departed, account_id = departed_of(job), job.subject
    user_id = departed.user_id
    keys = [key for key in keys_of(account_id) if key.user_id == user_id]
    given = [grant for grant in grants.of_account(account_id) if grant.user_id == user_id]
    # Read after the keys and grants, so that none of a membership that begins meanwhile is among them.
    again = Member.found(account_id, user_id)
    until_ms = sys.maxsize if again is None else again.since - 1
    movable_until_ms = job.began_at + stale_marks.CLOCK_SKEW_S * 1000
    earlier = [key for key in keys if key.created_at <= until_ms]
    issuers = (Account.found(account_id), User.found(user_id)) if earlier else ()
    for key in earlier:
        # A later one may be of a membership after this one, whose keys its own removal revokes or moves.
        is_moved = departed.keys == MOVE and key.created_at <= movable_until_ms
        if is_moved and departed.has_valid(key, *issuers):
            with models.ignore_condition_failure(), models.transaction() as write:
                _move(write, key, departed.role)
        else:
            revoke.revoke_key(key)
    to_revoke = [grant for grant in given if grant.created_at <= until_ms][:BATCH]
    marked = [grants.revoke(grant) for grant in to_revoke]
    forgotten = consent.delete_of_member(user_id, account_id, BATCH, until_ms=until_ms)
    is_marked = invalidation.mark_account(account_id) if earlier else True
    return is_marked and all(marked) and len(to_revoke) < BATCH and forgotten < BATCH


def _move(write: models.Transaction, key: Credential, role: str) -> None:
    """In a transaction, give a key to the account's service user. Its rights stay those of `role`.

    An owner's key keeps the rights of an admin only, because the former owner knows its secret.
    """
    actions: list[Action] = [
        Credential.user_id.set(roles.service_user_of(key.account_id)),
        Credential.role.set(roles.ADMIN if role == roles.OWNER else role),
    ]
    write.update(
        Credential(key.digest),
        actions=actions,
        condition=(Credential.user_id == key.user_id) & Credential.revoked_at.does_not_exist(),
    )
