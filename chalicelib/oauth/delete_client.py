"""Delete a client: its tokens are invalid at the next request; its grants and consents are deleted in slices.

The client is marked as deleted first, in one transaction: of two concurrent deletions only one succeeds.
"""

from collections.abc import Iterable
from itertools import islice

from pynamodb.expressions.update import Action

from chalicelib.accounts import pending_terminations
from chalicelib.accounts.pending_terminations import SLICE, PendingTermination
from chalicelib.accounts.tables import Account
from chalicelib.core import clock
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds
from chalicelib.limits import stale_marks
from chalicelib.oauth import clients, consent, grants
from chalicelib.oauth.tables import Client

DELETED_KEPT_S = 30 * clock.DAY_S
IMMEDIATE_MAX = 3
"""The number of an account's applications whose grants are revoked in the request when all are deleted together. The
scheduled function revokes the others.
"""
_CONSENTS = "consents"
"""Progress of a deletion whose first step, revoking the grants, is done."""


def delete(client: Client, *, actor: str = "", reason: str | None = None) -> None:
    """Delete a client permanently: its tokens and grants are invalid at the next request. Idempotent.

    The client is marked as deleted first: from then on it gets no tokens, and none of its tokens is accepted. Its
    grants are revoked, and their accounts' cached policies invalidated, in slices: the first slice here, the others by
    the scheduled function. The event names `actor`, by default the caller of the request, and `reason`.
    """
    ending = start_deletion(client, actor=actor, reason=reason)
    if ending is not None:
        pending_terminations.save_progress(ending, is_finished=finish_deletion(ending))


def start_deletion(client: Client, *, actor: str = "", reason: str | None = None) -> PendingTermination | None:
    """Delete a client as `delete` does, but leave its grants to the scheduled function.

    Returns the pending termination; None if the client is already deleted.
    """
    ending = pending_terminations.new(pending_terminations.OF_CLIENT, client.client_id)
    is_document = client.registered_by == "document"
    actions: list[Action] = [
        Client.deleted_at.set(ending.began_at),
        # The deletion of a document's client is kept without limit, because the document could be fetched again.
        Client.dies_at.remove() if is_document else Client.dies_at.set(ending.began_at // 1000 + DELETED_KEPT_S),
        Client.ended_by.set(actor) if actor else Client.ended_by.remove(),
        Client.ended_because.set(reason) if reason else Client.ended_because.remove(),
    ]
    with models.ignore_condition_failure():
        with models.transaction() as write:
            # Of two concurrent deletions only one may decrement the account's number of clients.
            is_undeleted = Client.created_at.exists() & Client.deleted_at.does_not_exist()
            write.update(Client(client.client_id), actions=actions, condition=is_undeleted)
            write.save(ending)
            _decrement_client_count(write, client)
            clients.record_event(write, client, kinds.APPLICATION_DELETED, actor=actor, reason=reason)
        if client.account_id is not None:
            stale_marks.mark(client.account_id)
        return ending
    return None


def delete_all(found: Iterable[Client]) -> None:
    """Delete an account's applications: at most 50, each with any number of users.

    This revokes a slice of the grants of the first few; the scheduled function revokes the others.
    """
    for number, client in enumerate(client for client in found if client.deleted_at is None):
        delete_one = delete if number < IMMEDIATE_MAX else start_deletion
        delete_one(client)


def delete_unverified(account_id: str) -> None:
    """Delete the applications that an account registered before its email address was first verified."""
    account = Account.get(account_id, consistent_read=True)
    delete_all(
        [client for client in clients.list_of_account(account_id) if account.predates_verification(client.created_at)]
    )


def finish_deletion(ending: PendingTermination) -> bool:
    """Revoke a slice of a deleted client's grants, then delete a slice of its consents; return whether nothing
    remains.
    """
    left = SLICE
    if ending.step != _CONSENTS:
        found = list(islice(grants.of_client(ending.subject, after=ending.after), left))
        for grant in found:
            # The stream consumer sets a failed mark again, for the event of the revocation.
            grants.revoke(grant)
        ending.after = found[-1].id if found else ending.after
        left -= len(found)
        if not left:
            return False
        ending.step, ending.after = _CONSENTS, None
    account_ids = consent.delete_of_client(ending.subject, left, after=ending.after)
    ending.after = account_ids[-1] if account_ids else ending.after
    if len(account_ids) == left:
        return False
    # The next run begins again from the start, because the indexes are eventually consistent.
    ending.step = ending.after = None
    return True


def _decrement_client_count(write: models.Transaction, client: Client) -> None:
    if client.account_id is not None:
        write.update(Account(client.account_id), actions=[Account.applications.add(-1)], condition=Account.id.exists())
