"""Delete a client. Its tokens are invalid within 10 s; a job deletes its grants and the consents to it.

One transaction first marks the client as deleted. If it is deleted twice concurrently, only one of the calls succeeds.
Then the end of the client is recorded, which makes cached tokens invalid within 10 s (see `limits.ended_clients`).
"""

from collections.abc import Iterable

from pynamodb.expressions.update import Action

from chalicelib.accounts import invalidation, owned_clients
from chalicelib.accounts.tables import Account, User
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds
from chalicelib.jobs import progress
from chalicelib.jobs.tables import Job
from chalicelib.limits import ended_clients
from chalicelib.oauth import clients, consent, grants
from chalicelib.oauth.tables import Client

DELETED_KEPT_S = 30 * clock.DAY_S
IMMEDIATE_MAX = 3
"""When all applications of an account are deleted together, the request invalidates the cached policies of the users of
this many applications.
"""
GRANTS_BATCH = 100
"""The number of grants or consents that one batch deletes. A batch must be short, also while the tables are throttled,
because progress is saved only between batches.
"""
_CONSENTS = "consents"
"""The second step of a deletion. It deletes the consents, after all grants have been deleted."""


def delete(client: Client, *, actor: str = "", reason: str | None = None) -> None:
    """Delete a client permanently. Its grants are invalid immediately, and its tokens within 10 s. Idempotent.

    The client is marked as deleted: from then on it gets no tokens, and no verification accepts one of its tokens. This
    call also invalidates the cached policies of its first users. A job then deletes its grants and the consents to it.
    The event names `actor`, by default the caller of the request, and `reason`. Raises Unavailable if the client is
    deleted but its end couldn't be recorded; repeating the call records it, and so does the job.
    """
    if not _delete(client, actor=actor, reason=reason):
        raise errors.Unavailable("The application is deleted, but its tokens may be accepted for up to 5 more minutes.")


def _delete(client: Client, *, actor: str = "", reason: str | None = None) -> bool:
    """Delete a client; return whether its end is recorded."""
    if start_deletion(client, actor=actor, reason=reason):
        owned_clients.mark_first_users_of(client.client_id)
        if not _was_approved(client):
            return True
    deleted = Client.found(client.client_id)
    if deleted is None or deleted.deleted_at is None:
        return True
    return ended_clients.record_missing([client.client_id], since_ms=deleted.deleted_at)


def start_deletion(client: Client, *, actor: str = "", reason: str | None = None) -> bool:
    """Delete a client like `delete`, but without invalidating cached policies of its users.

    Returns False if the client is already deleted.
    """
    ending = progress.new(progress.OF_CLIENT, client.client_id)
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
            invalidation.mark_account(client.account_id)
        return True
    return False


def delete_all(found: Iterable[Client]) -> None:
    """Delete an account's applications. There are at most 50, but each can have any number of users.

    For the first IMMEDIATE_MAX applications, this call invalidates the cached policies of the first users.
    """
    for number, client in enumerate(client for client in found if client.deleted_at is None):
        # If an end can't be recorded, the others are deleted nevertheless, and the scheduled function records it.
        delete_one = _delete if number < IMMEDIATE_MAX else start_deletion
        delete_one(client)


def delete_unverified(account: Account) -> None:
    """Delete the applications that were registered for an account before its creator's address was first verified."""
    delete_all(
        [client for client in clients.list_of_account(account.id) if account.predates_verification(client.created_at)]
    )


def delete_unverified_of_user(account: Account, user: User) -> None:
    """Delete the applications that a user registered for an account before the user's address was first verified."""
    delete_all(
        [
            client
            for client in clients.list_of_account(account.id)
            if client.user_id == user.id and user.predates_verification(client.created_at)
        ]
    )


def finish_deletion(ending: Job) -> bool:
    """Delete a batch of the grants to a deleted client. Once all grants are deleted, delete a batch of the consents to
    the client. Returns whether nothing remains to be deleted.
    """
    client = Client.found(ending.subject)
    if client is not None and client.deleted_at is None:
        return True  # the clients were restored to a time before the deletion
    progress.begin_pass(ending)
    if ending.step != _CONSENTS:
        found = grants.all_of_client(ending.subject, after=ending.after, limit=GRANTS_BATCH)
        if found:
            ended_clients.record_missing([ending.subject], since_ms=ending.began_at)
        grants.delete_with_client(found, at_ms=ending.began_at)
        ending.after = found[-1].id if found else ending.after
        if len(found) == GRANTS_BATCH:
            return False
        ending.step, ending.after = _CONSENTS, None
    user_ids = consent.delete_of_client(ending.subject, GRANTS_BATCH, after=ending.after)
    ending.after = user_ids[-1] if user_ids else ending.after
    if len(user_ids) == GRANTS_BATCH:
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
