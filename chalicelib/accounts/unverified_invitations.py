"""Delete the invitations that are older than the first verification of an address: Somebody else may have invited."""

from itertools import islice

from pynamodb.expressions.condition import Condition

from chalicelib.accounts.invitations import FIRST_ID, LAST_ID
from chalicelib.accounts.tables import Account, Invitation, User
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.jobs.progress import BATCH


def delete_all(account: Account) -> bool:
    """Delete a batch of the invitations to an account that are older than the first verification of its creator's
    address; return whether none remains.
    """
    return _delete_if(account, Invitation.created_at < account.credentials_since)


def delete_of_user(account: Account, user: User) -> bool:
    """Delete a batch of a user's invitations to an account that are older than the first verification of the user's
    address; return whether none remains.
    """
    return _delete_if(account, (Invitation.invited_by == user.id) & (Invitation.created_at < user.credentials_since))


def _delete_if(account: Account, condition: Condition) -> bool:
    found = list(islice(Invitation.query(account.id, Invitation.id.between(FIRST_ID, LAST_ID), condition), BATCH))
    for invitation in found:
        with models.ignore_condition_failure(), models.transaction() as write:
            write.delete(Invitation(account.id, invitation.id), condition=Invitation.digest == invitation.digest)
            details = {"invitation": invitation.id, "role": invitation.role}
            record.add_to(write, account.id, kinds.INVITATION_WITHDRAWN, details)
    return len(found) < BATCH
