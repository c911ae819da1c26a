"""Deleting what belonged to an account that was deleted, in slices of 50 things.

From the deletion itself on nothing of it works: its status stands in the account, and on its clients. In the request
goes the first slice of what others could still see working; the rest waits for a minute, so that its webhooks hear of
the deletion, and is done by the minute's function. Kept are the account's stump (id, tier, times), its counters for 31
days, and the event of its deletion as long as events are. What has no index by account is found by reading its
table through.
"""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from pynamodb.models import Model

from chalicelib.accounts.tables import OneTimeToken, Session
from chalicelib.accounts.unfinished import SETTLED_MS, SLICE, Unfinished
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.tables import Credential
from chalicelib.detection.tables import Profiles
from chalicelib.events import kinds
from chalicelib.events.tables import Event
from chalicelib.oauth import consent, grants
from chalicelib.oauth.tables import Client, Consent, Grant
from chalicelib.webhooks.tables import Delivery, Endpoint

Step = Callable[[Unfinished, int], int]
"""Deletes up to so many things; returns how many it did: fewer when none is left."""
PAGE_COUNTS_AS = 10
"""Reading one page (1 MB at most) of a table through is as much of a slice as deleting so many things."""


def finish(ending: Unfinished) -> bool:
    """Delete a slice of what belonged to an account; return whether nothing is left."""
    settled = clock.now_ms() - ending.began_at >= SETTLED_MS
    steps = [name for name in _STEPS if settled or name in _IN_REQUEST]
    left = SLICE
    for name in steps[steps.index(ending.step) if ending.step in steps else 0 :]:
        if name != ending.step:
            ending.step, ending.after = name, None
        left -= _STEPS[name](ending, left)
        if left <= 0:
            return False
    if not settled:
        # From the start once more when the indexes have settled, too.
        ending.step = ending.after = None
    return settled


def _clients(ending: Unfinished, left: int) -> int:
    """Revoke what others granted to its clients and forget their consents, then delete these."""
    done = 0
    for client in Client.by_owner.query(ending.subject):
        given = list(islice(grants.of_client(client.client_id), left - done))
        for grant in given:
            grants.revoke(grant)
        done += len(given)
        done += len(consent.forget_client(client.client_id, left - done)) if done < left else 0
        if done >= left:
            break
        client.delete()
        done += 1
    return done


def _credentials(ending: Unfinished, left: int) -> int:
    return _deleted(Credential.by_account.query(ending.subject), left)


def _grants(ending: Unfinished, left: int) -> int:
    return _deleted(Grant.by_account.query(ending.subject), left)


def _consents(ending: Unfinished, left: int) -> int:
    return _deleted(Consent.query(ending.subject), left)


def _webhooks(ending: Unfinished, left: int) -> int:
    """Delete its endpoints, and before each what was delivered to it; the item that counts them, too."""
    done = 0
    for endpoint in Endpoint.query(ending.subject, consistent_read=True):
        done += _deleted(Delivery.query(endpoint.id), left - done)
        if done >= left:
            break
        done += _deleted([endpoint], 1)
    return done


def _events(ending: Unfinished, left: int) -> int:
    """Delete what happened to it, but for its end, and what was delivered to webhooks that only events still name."""
    done = 0
    once = Event.query(f"{ending.subject}#once", consistent_read=True)
    for event in chain(Event.query(ending.subject, consistent_read=True), once):
        # A claim, in the partition beside, has no type.
        if event.attribute_values.get("type") == kinds.ACCOUNT_DELETED:
            continue
        webhook = event.changed.as_dict().get("webhook")
        done += _deleted(Delivery.query(webhook), left - done) if webhook else 0
        if done >= left:
            break
        done += _deleted([event], 1)
    return done


def _links(ending: Unfinished, left: int) -> int:
    return _read_through(OneTimeToken, ending, left)


def _sessions(ending: Unfinished, left: int) -> int:
    return _read_through(Session, ending, left)


def _profile(ending: Unfinished, left: int) -> int:
    del left
    Profiles(ending.subject).delete()
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


def _deleted(found: Any, left: int) -> int:
    """Delete up to `left` of the items that were found; return how many."""
    items: list[Model] = list(islice(found, left))
    for item in items:
        item.delete()
    return len(items)


def _read_through(table: type[OneTimeToken] | type[Session], ending: Unfinished, left: int) -> int:
    """Delete the account's items of a table without an index by account, some pages at a time."""
    read = 0
    for digests, after in _pages(table, ending):
        for digest in digests:
            table(digest).delete()
        ending.after, read = after, read + PAGE_COUNTS_AS
        if after is not None and read >= left:
            return left
    return 0


def _pages(table: type[OneTimeToken] | type[Session], ending: Unfinished) -> Iterator[tuple[list[str], str | None]]:
    request = {
        "TableName": table.Meta.table_name,
        "FilterExpression": "account_id = :account",
        "ProjectionExpression": "digest",
        "ExpressionAttributeValues": {":account": {"S": ending.subject}},
    }
    after = ending.after
    while True:
        page = dynamodb.call("Scan", request | ({"ExclusiveStartKey": {"digest": {"S": after}}} if after else {}))
        after = page.get("LastEvaluatedKey", {}).get("digest", {}).get("S")
        yield [item["digest"]["S"] for item in page["Items"]], after
        if after is None:
            return
