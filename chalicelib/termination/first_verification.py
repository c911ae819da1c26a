"""Revoke or delete what existed before a user's address was first verified: somebody else may have created it.

In the accounts that the user created, these are all keys, applications, webhooks, memberships and invitations. They
have been invalid since the verification, because they are older than the account's `credentials_since`. In other
accounts, they are those that the user created; each member whom the user invited there is removed with everything that
the member created (see `undone_membership`). The user leaves accounts that were created under the address and handed
over, because their owner may be who signed up with it. The transaction of the verification also stores the job, so it
can't be lost.
"""

from itertools import islice

from chalicelib.accounts import first_proof, invalidation, members, unverified_invitations
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core.dynamodb import models
from chalicelib.credentials import revoke
from chalicelib.credentials.find import keys_of
from chalicelib.events import kinds, record
from chalicelib.jobs import progress
from chalicelib.jobs.progress import BATCH
from chalicelib.jobs.tables import Job
from chalicelib.oauth import delete_client
from chalicelib.termination import undone_membership
from chalicelib.webhooks import unverified_endpoints


def finish(job: Job) -> bool:
    """Revoke or delete in one batch what was created before the verification; return whether nothing remains and the
    invalidation marks are set.
    """
    user = User.found(job.subject)
    if user is None or not user.listed:
        return True
    is_first_run = progress.is_first_run(job)
    if is_first_run:
        user = first_proof.end_later_creations(user, job.began_at)
    done = [_end_in_account(each, is_first_run=is_first_run) for each in members.all_of(user)]
    return invalidation.mark_user(user.id) and all(done)


def _end_in_account(membership: Membership, *, is_first_run: bool) -> bool:
    account, user = membership.account, membership.user
    if first_proof.is_of_creator(membership):
        return _end_created(account, is_first_run=is_first_run)
    if first_proof.was_handed_over(membership):
        undone_membership.remove(account.id, user.id)
        return True
    return _end_of_user(account, user, is_first_run=is_first_run)


def _end_created(account: Account, *, is_first_run: bool) -> bool:
    """End what is older than the `credentials_since` of an account that the user created."""
    for key in keys_of(account.id):
        if key.is_live() and (is_first_run or account.predates_verification(key.created_at)):
            revoke.revoke_key(key)
    unverified_endpoints.delete_all(account)
    delete_client.delete_unverified(account)
    are_invitations_deleted = unverified_invitations.delete_all(account)
    invalid = (each for each in members.items_of(account.id) if not members.is_valid(each, account))
    found = list(islice(invalid, BATCH))
    for member in found:
        _delete_membership(member)
    return are_invitations_deleted and len(found) < BATCH


def _end_of_user(account: Account, user: User, *, is_first_run: bool) -> bool:
    """End what the user created, in an account that somebody else created, before the verification."""
    for key in keys_of(account.id):
        if key.user_id == user.id and key.is_live() and (is_first_run or user.predates_verification(key.created_at)):
            revoke.revoke_key(key)
    unverified_endpoints.delete_of_user(account, user)
    delete_client.delete_unverified_of_user(account, user)
    are_invitations_deleted = unverified_invitations.delete_of_user(account, user)
    invited = (
        each
        for each in members.items_of(account.id)
        if each.invited_by == user.id and user.predates_verification(each.since)
    )
    found = list(islice(invited, BATCH))
    for member in found:
        undone_membership.remove(account.id, member.user_id)
    return are_invitations_deleted and len(found) < BATCH


def _delete_membership(member: Member) -> None:
    """Delete an invalid membership. It no longer counts as that of an owner (see `first_proof`)."""
    with models.ignore_condition_failure(), models.transaction() as write:
        write.delete(Member(member.account_id, member.user_id), condition=Member.since == member.since)
        write.update(
            User(member.user_id), actions=[User.account_ids.delete({member.account_id})], condition=User.id.exists()
        )
        details = {"user": member.user_id, "role": member.role}
        record.add_to(write, member.account_id, kinds.MEMBER_REMOVED, details)
