"""Delete a client. Its tokens are invalid within 10 s; its grants and consents are deleted in batches.

One transaction first marks the client as deleted. If it is deleted twice concurrently, only one of the calls succeeds.
Then the end of the client is recorded, which makes cached tokens invalid within 10 s (see `limits.ended_clients`).
"""

from collections.abc import Iterable
from itertools import islice

from pynamodb.expressions.update import Action

from chalicelib.accounts import pending_terminations
from chalicelib.accounts.pending_terminations import SLICE, PendingTermination
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds
from chalicelib.limits import ended_clients, stale_marks
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
    """Delete a client permanently. Its grants are invalid immediately, and its tokens within 10 s. Idempotent.

    The client is marked as deleted first: from then on it gets no tokens, and none of its tokens is verified. Then its
    grants are revoked in batches, and the cached policies of the accounts that gave them are invalidated, so that their
    tokens are invalid at the next request. This call handles the first batch, the scheduled function the others. The
    event names `actor`, by default the caller of the request, and `reason`. Raises Unavailable if the client is deleted
    but its end couldn't be recorded; repeating the call records it, and so does the scheduled function.
    """
    if not _delete(client, actor=actor, reason=reason):
        raise errors.Unavailable("The application is deleted, but its tokens may be accepted for up to 5 more minutes.")


def _delete(client: Client, *, actor: str = "", reason: str | None = None) -> bool:
    """Delete a client; return whether its end is recorded."""
    ending = start_deletion(client, actor=actor, reason=reason)
    if ending is not None:
        pending_terminations.save_progress(ending, is_finished=finish_deletion(ending))
        return not _was_approved(client) or ended_clients.record_missing([client.client_id], since_ms=ending.began_at)
    deleted = Client.found(client.client_id)
    if deleted is None or deleted.deleted_at is None:
        return True
    return ended_clients.record_missing([client.client_id], since_ms=deleted.deleted_at)


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
        if _was_approved(client):
            ended_clients.record([client.client_id])
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
        # If an end can't be recorded, the others are deleted nevertheless, and the scheduled function records it.
        delete_one = _delete if number < IMMEDIATE_MAX else start_deletion
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
        if found:
            ended_clients.record_missing([ending.subject], since_ms=ending.began_at)
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


def _was_approved(client: Client) -> bool:
    """Return whether an account may have approved the client.

    Anybody can register a client and delete it again. If no account approved it, it has no tokens, and its end isn't
    recorded: otherwise one caller could fill the item of the ended clients. If an account approves it just now, its
    grant is among the first that the deletion revokes.
    """
    return client.dies_at is None or client.kept_until is not None


def _decrement_client_count(write: models.Transaction, client: Client) -> None:
    if client.account_id is not None:
        write.update(Account(client.account_id), actions=[Account.applications.add(-1)], condition=Account.id.exists())
