"""End a membership together with everything that the user created in it. It applies to a member who was invited under
the address of another user before that address was first verified.

Besides the keys, these are the member's invitations, webhooks and applications, and the members whom they invited. For
each of these members the same follows, in a job of its own, so that a chain of invitations of any length ends. What a
member changed but didn't create stays, such as another member's role.
"""

import sys
from dataclasses import dataclass
from itertools import islice

from chalicelib.accounts import invitations, members, roles
from chalicelib.accounts.invitations import FIRST_ID, LAST_ID
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.tables import Invitation, Member
from chalicelib.core import clock, errors
from chalicelib.jobs import progress
from chalicelib.jobs.progress import BATCH
from chalicelib.jobs.tables import Job
from chalicelib.oauth import clients, delete_client
from chalicelib.termination import member_removal
from chalicelib.webhooks import endpoints


def remove(account_id: str, user_id: str) -> None:
    """Remove a member, whose credentials are then rejected, and start the job for what they created. The account's last
    owner stays.
    """
    try:
        removal = member_removal.remove(_as_owner(account_id), user_id, member_removal.UNDO)
    except (errors.NotFound, errors.Conflict):
        return
    progress.save(removal, is_finished=False)


def finish(job: Job) -> bool:
    """Finish one batch of the removal of a member, undone or not; return whether nothing remains."""
    is_finished = member_removal.finish(job)
    departed = member_removal.departed_of(job)
    if departed.keys != member_removal.UNDO:
        return is_finished
    again = Member.found(job.subject, departed.user_id)
    made = _Made(job.subject, departed.user_id, departed.created_from, sys.maxsize if again is None else again.since)
    done = [_invitations(made), _webhooks(made), _applications(made), _members(made)]
    return is_finished and all(done)


@dataclass(frozen=True, slots=True)
class _Made:
    """What a user created in an account during a membership: at `from_ms` or later, and before `until_ms`, at which the
    user joined again.
    """

    account_id: str
    user_id: str
    from_ms: int
    until_ms: int

    def contains(self, user_id: str | None, at_ms: int) -> bool:
        """Return whether an item is of this user and this membership."""
        return user_id == self.user_id and self.from_ms <= at_ms < self.until_ms


def _invitations(made: _Made) -> bool:
    valid = Invitation.query(
        made.account_id, Invitation.id.between(FIRST_ID, LAST_ID), Invitation.expires_at > clock.now_ms()
    )
    found = list(islice((each for each in valid if made.contains(each.invited_by, each.created_at)), BATCH))
    for invitation in found:
        try:
            invitations.withdraw(_as_owner(made.account_id), invitation.id)
        except errors.NotFound:  # It was accepted, withdrawn or replaced concurrently.
            continue
    return len(found) < BATCH


def _webhooks(made: _Made) -> bool:
    for endpoint in list(endpoints.of_account(made.account_id)):
        if made.contains(endpoint.user_id, endpoint.created_at):
            endpoints.delete(endpoint)
    return True


def _applications(made: _Made) -> bool:
    owned = clients.list_of_account(made.account_id)
    delete_client.delete_all([client for client in owned if made.contains(client.user_id, client.created_at)])
    return True


def _members(made: _Made) -> bool:
    invited = (each for each in members.items_of(made.account_id) if made.contains(each.invited_by, each.since))
    found = list(islice(invited, BATCH))
    for member in found:
        remove(made.account_id, member.user_id)
    return len(found) < BATCH


def _as_owner(account_id: str) -> Manager:
    return Manager(account_id, roles.service_user_of(account_id), roles.OWNER)
