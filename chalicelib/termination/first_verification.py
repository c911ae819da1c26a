"""Ending for good what an account had before its address was first proven: keys, applications and webhooks.

From the proof on none of it works, since all of it is older than the account's `credentials_since`. What is left is to
delete it, and to tell of it in the account's activity. The ending is stored in the transaction of the proof, so a
function that is killed then leaves nothing behind. Ending a thing again is harmless.
"""

from chalicelib.accounts import unfinished
from chalicelib.accounts.tables import Account
from chalicelib.accounts.unfinished import Unfinished
from chalicelib.credentials import revoke
from chalicelib.credentials.find import keys_of
from chalicelib.limits import stale_marks
from chalicelib.oauth import delete_client
from chalicelib.webhooks import endpoints


def finish(ending: Unfinished) -> bool:
    """End what an account had before the proof, all of it at once since it is bounded; return whether all is marked."""
    account = Account.found(ending.subject)
    if account is None or not account.listed:
        return True
    is_moment = unfinished.is_first_look(ending)
    for key in keys_of(account.id):
        if key.is_live() and (is_moment or account.has_ended(key.created_at)):
            revoke.end(key)
    endpoints.delete_unverified(account.id)
    delete_client.delete_unverified(account.id)
    return stale_marks.mark(account.id)
