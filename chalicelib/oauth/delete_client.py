"""Delete a client. Its tokens are invalid at the next request; its grants and consents are deleted in batches.

One transaction first marks the client as deleted. If it is deleted twice concurrently, only one of the calls succeeds.
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
"""When all applications of an account are deleted together, the request revokes grants of this many applications. The
scheduled function revokes all other grants.
"""
_CONSENTS = "consents"
"""The second step of a deletion. It deletes the consents, after all grants have been revoked."""


def delete(client: Client, *, actor: str = "", reason: str | None = None) -> None:
    """Delete a client permanently. Its tokens and grants are invalid at the next request. Idempotent.

    The client is marked as deleted first: from then on it gets no tokens, and none of its tokens is accepted. Then its
    grants are revoked in batches, and the cached policies of the accounts that gave them are invalidated. This call
    handles the first batch, the scheduled function the others. The event names `actor`, by default the caller of the
    request, and `reason`.
    """
    ending = start_deletion(client, actor=actor, reason=reason)
    if ending is not None:
        pending_terminations.save_progress(ending, is_finished=finish_deletion(ending))


def start_deletion(client: Client, *, actor: str = "", reason: str | None = None) -> PendingTermination | None:
    """Delete a client like `delete`, but leave all of its grants to the scheduled function.

    Returns the pending termination; None if the client is already deleted.
    """
    ending = pending_terminations.new(pending_terminations.OF_CLIENT, client.client_id)
    is_document = client.registered_by == "document"
    actions: list[Action] = [
        Client.deleted_at.set(ending.began_at),
        # The deleted client of a metadata document is kept forever, because otherwise the document could be fetched
        # again.
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
    """Delete an account's applications. There are at most 50, but each can have any number of users.

    For the first IMMEDIATE_MAX applications, this call revokes a batch of the grants. The scheduled function revokes
    all other grants.
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
    """Revoke a batch of the grants to a deleted client. Once all grants are revoked, delete a batch of the consents to
    the client. Returns whether nothing remains to be deleted.
    """
    left = SLICE
    if ending.step != _CONSENTS:
        found = list(islice(grants.of_client(ending.subject, after=ending.after), left))
        for grant in found:
            # If the invalidation mark can't be set, the stream consumer sets it when it processes the event of the
            # revocation.
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
    # If another run follows, it begins from the start, because the indexes are eventually consistent.
    ending.step = ending.after = None
    return True


def _decrement_client_count(write: models.Transaction, client: Client) -> None:
    if client.account_id is not None:
        write.update(Account(client.account_id), actions=[Account.applications.add(-1)], condition=Account.id.exists())
