"""Delete the data of a deleted account, in batches of 50 items.

All data is already invalid when this starts, because the account and its clients are marked as deleted. The request
deletes a first batch of the clients, credentials, grants and consents. The other data is deleted a minute later, so
that webhooks can deliver the event of the deletion first. The account item remains, with id, tier and times. The
account's counters remain for 31 days. The event of the deletion is kept as long as other events are. Tables without an
index by account are scanned.
"""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from pynamodb.models import Model

from chalicelib.accounts.pending_terminations import SETTLED_MS, SLICE, PendingTermination
from chalicelib.accounts.tables import OneTimeToken, Session
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.tables import Credential
from chalicelib.detection.tables import Profiles
from chalicelib.events import kinds
from chalicelib.events.tables import Event
from chalicelib.limits import ended_clients
from chalicelib.oauth import consent, grants
from chalicelib.oauth.tables import Client, Consent, Grant
from chalicelib.webhooks.tables import Delivery, Endpoint

Step = Callable[[PendingTermination, int], int]
"""A function that deletes up to the given number of items and returns how many it deleted. If it deletes fewer, none
remains.
"""
PAGE_COUNTS_AS = 10
"""Scanning one page of a table (up to 1 MB) counts as this many deletions of a batch."""


def finish(pending: PendingTermination) -> bool:
    """Delete one batch of the account's data; return whether nothing remains."""
    settled = clock.now_ms() - pending.began_at >= SETTLED_MS
    steps = [name for name in _STEPS if settled or name in _IN_REQUEST]
    left = SLICE
    for name in steps[steps.index(pending.step) if pending.step in steps else 0 :]:
        if name != pending.step:
            pending.step, pending.after = name, None
        left -= _STEPS[name](pending, left)
        if left <= 0:
            return False
    if not settled:
        # Start again after a minute. The indexes are then up to date.
        pending.step = pending.after = None
    return settled


def _clients(pending: PendingTermination, left: int) -> int:
    """For each client of the account, revoke the grants to it, delete the consents to it, then delete the client
    itself.
    """
    done = 0
    owned = list(Client.by_account.query(pending.subject))
    # If this fails, the next batch repeats it. If none follows, all grants have been revoked.
    ended_clients.record_missing([client.client_id for client in owned], since_ms=pending.began_at)
    for client in owned:
        client_grants = list(islice(grants.of_client(client.client_id), left - done))
        for grant in client_grants:
            grants.revoke(grant)
        done += len(client_grants)
        done += len(consent.delete_of_client(client.client_id, left - done)) if done < left else 0
        if done >= left:
            break
        client.delete()
        done += 1
    return done


def _credentials(pending: PendingTermination, left: int) -> int:
    return _delete(Credential.by_account.query(pending.subject), left)


def _grants(pending: PendingTermination, left: int) -> int:
    return _delete(Grant.by_account.query(pending.subject), left)


def _consents(pending: PendingTermination, left: int) -> int:
    return _delete(Consent.query(pending.subject), left)


def _webhooks(pending: PendingTermination, left: int) -> int:
    """Delete the account's endpoints, each one after all deliveries to it. Also delete the item that counts the
    endpoints.
    """
    done = 0
    for endpoint in Endpoint.query(pending.subject, consistent_read=True):
        done += _delete(Delivery.query(endpoint.id), left - done)
        if done >= left:
            break
        done += _delete([endpoint], 1)
    return done


def _events(pending: PendingTermination, left: int) -> int:
    """Delete the account's events, except the event of its deletion. Also delete the deliveries to webhooks that were
    deleted earlier, because only the events still contain the ids of these webhooks.
    """
    done = 0
    once = Event.query(f"{pending.subject}#once", consistent_read=True)
    for event in chain(Event.query(pending.subject, consistent_read=True), once):
        # The items in the partition `#once` are not events and have no type.
        if event.attribute_values.get("type") == kinds.ACCOUNT_DELETED:
            continue
        webhook = event.changed.as_dict().get("webhook")
        done += _delete(Delivery.query(webhook), left - done) if webhook else 0
        if done >= left:
            break
        done += _delete([event], 1)
    return done


def _links(pending: PendingTermination, left: int) -> int:
    return _scan(OneTimeToken, pending, left)


def _sessions(pending: PendingTermination, left: int) -> int:
    return _scan(Session, pending, left)


def _profile(pending: PendingTermination, left: int) -> int:
    del left
    Profiles(pending.subject).delete()
    return 0


_STEPS: dict[str, Step] = {
    "clients": _clients,
    "credentials": _credentials,
    "grants": _grants,
    "consents": _consents,
    "webhooks": _webhooks,
    "events": _events,
    "links": _links,
    "sessions": _sessions,
    "profile": _profile,
}
_IN_REQUEST = ("clients", "credentials", "grants", "consents")


def _delete(found: Any, left: int) -> int:
    """Delete up to `left` of the found items; return how many were deleted."""
    items: list[Model] = list(islice(found, left))
    for item in items:
        item.delete()
    return len(items)


def _scan(table: type[OneTimeToken] | type[Session], pending: PendingTermination, left: int) -> int:
    """Delete the account's items of a table that has no index by account. Each call scans only a few pages."""
    scanned = 0
    for digests, after in _pages(table, pending):
        for digest in digests:
            table(digest).delete()
        pending.after, scanned = after, scanned + PAGE_COUNTS_AS
        if after is not None and scanned >= left:
            return left
    return 0


def _pages(
    table: type[OneTimeToken] | type[Session], pending: PendingTermination
) -> Iterator[tuple[list[str], str | None]]:
    request = {
        "TableName": table.Meta.table_name,
        "FilterExpression": "account_id = :account",
        "ProjectionExpression": "digest",
        "ExpressionAttributeValues": {":account": {"S": pending.subject}},
    }
    after = pending.after
    while True:
        page = dynamodb.call("Scan", request | ({"ExclusiveStartKey": {"digest": {"S": after}}} if after else {}))
        after = page.get("LastEvaluatedKey", {}).get("digest", {}).get("S")
        yield [item["digest"]["S"] for item in page["Items"]], after
        if after is None:
            return
