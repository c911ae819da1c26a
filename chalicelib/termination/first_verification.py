"""Revoke or delete the keys, applications and webhooks that an account had before its address was first verified.

They were created before the account's `credentials_since`, so they have been invalid since the verification. This
module deletes them and records the events. The transaction of the verification also stores the termination, so it can't
be lost.
"""

from chalicelib.accounts import pending_terminations
from chalicelib.accounts.pending_terminations import PendingTermination
from chalicelib.accounts.tables import Account
from chalicelib.credentials import revoke
from chalicelib.credentials.find import keys_of
from chalicelib.limits import stale_marks
from chalicelib.oauth import delete_client
from chalicelib.webhooks import endpoints


def finish(pending: PendingTermination) -> bool:
    """Revoke or delete in one batch everything that was created before the verification; return whether the
    invalidation mark is set.
    """
    account = Account.found(pending.subject)
    if account is None or not account.listed:
        return True
    is_first_run = pending_terminations.is_first_run(pending)
    for key in keys_of(account.id):
        if key.is_live() and (is_first_run or account.predates_verification(key.created_at)):
            revoke.revoke_key(key)
    endpoints.delete_unverified(account.id)
    delete_client.delete_unverified(account.id)
    return stale_marks.mark(account.id)
