"""The OAuth clients that ended within the last six minutes, in one item.

A client ends when it is deleted, or when the account that registered it is suspended or deleted. API Gateway caches the
policies of its tokens for 300 s, and they are invalidated by marks, one user at a time (see `stale_marks`), which takes
minutes if the client has many users. Therefore the end is also recorded here, right after the transaction that decides
it. A process that serves a token reads this item (see `credentials.ended_client_check`), so that the bound is the same
for any number of users.

Each end is an element of a string set: its time and a hash of the client id. Adding and removing elements are atomic,
and an element is never reused, so that concurrent writers lose none. If there are too many, the time `tokens_stale_at`
replaces them: tokens of all clients that were verified before it are verified again.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chalicelib.core import clock, secrets, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed, DynamoDBError
from chalicelib.limits.counter_items import TABLE, number

KEY: dict[str, Any] = {"subject": {"S": "ended-clients"}, "hour": {"N": "0"}}
KEPT_MS = 360_000
"""How long an end is kept: the 300 s of a cached policy, and a margin for clocks that differ."""
ENTRIES_MAX = 120
"""Maximum number of ends in the item, so that a consistent read of it costs one read unit (4 KB)."""
DIGEST_LENGTH = 12
"""Length of the hash of a client id. If two clients have the same hash, tokens of both are verified again."""


@dataclass(frozen=True, slots=True)
class EndedClients:
    """The content of the item."""

    latest_ms: dict[str, int]
    """The time of the latest end of each client, by the hash of its id."""
    tokens_stale_at_ms: int

    def ended_at_ms(self, client_id: str) -> int:
        """Return when the client may have ended last (ms), or 0."""
        return max(self.latest_ms.get(_hash(client_id), 0), self.tokens_stale_at_ms)


def record(client_ids: Iterable[str]) -> bool:
    """Record that clients have ended. Returns False if that couldn't be written.

    Call it after the transaction that ended them has been committed. Idempotent.
    """
    now_ms = clock.now_ms()
    entries = sorted({f"{now_ms} {_hash(each)}" for each in client_ids})
    if not entries:
        return True
    values = {":entries": {"SS": entries}, ":dies_at": {"N": str(now_ms // 1000 + clock.HOUR_S)}}
    try:
        item = _update("ADD ended :entries SET dies_at = :dies_at", values, ReturnValues="ALL_NEW")["Attributes"]
    except DynamoDBError as error:
        _report_loss(error)
        return False
    # The ends are recorded. If removing others fails, the next writer removes them.
    with suppress(DynamoDBError):
        _remove_surplus(item.get("ended", {}).get("SS", []), now_ms)
    return True


def record_missing(client_ids: Iterable[str], *, since_ms: int) -> bool:
    """Record the ends that weren't recorded at `since_ms`, when the clients ended, or later. Returns False if they may
    be missing still.

    If they ended more than `KEPT_MS` ago, no policy from before is cached any more, and nothing is recorded.
    """
    wanted = list(client_ids)
    if not wanted or clock.now_ms() - since_ms > KEPT_MS:
        return True
    try:
        known = read()
    except DynamoDBError as error:
        _report_loss(error)
        return False
    return record(each for each in wanted if known.ended_at_ms(each) < since_ms)


def read() -> EndedClients:
    """Read the item with one consistent read. Raises DynamoDBError."""
    request = {"TableName": settings.current().table(TABLE), "Key": KEY, "ConsistentRead": True}
    item = dynamodb.call("GetItem", request, dynamodb.FAIL_FAST).get("Item", {})
    latest_ms: dict[str, int] = {}
    for entry in item.get("ended", {}).get("SS", []):
        client = entry.partition(" ")[2]
        latest_ms[client] = max(_time_of(entry), latest_ms.get(client, 0))
    return EndedClients(latest_ms, number(item, "tokens_stale_at"))


def _remove_surplus(entries: list[str], now_ms: int) -> None:
    """Remove ends that are too old to matter. If too many remain, replace all by `tokens_stale_at`."""
    recent = [entry for entry in entries if now_ms - _time_of(entry) <= KEPT_MS]
    if len(recent) > ENTRIES_MAX:
        _replace_all(entries)
    elif len(recent) < len(entries):
        _update("DELETE ended :old", {":old": {"SS": sorted(set(entries) - set(recent))}})


def _replace_all(entries: list[str]) -> None:
    removed = {":removed": {"SS": entries}}
    newest = {":newest": {"N": str(max(map(_time_of, entries)))}}
    try:
        # One write, so that a reader always finds either the ends or the time.
        _update(
            "SET tokens_stale_at = :newest DELETE ended :removed",
            removed | newest,
            ConditionExpression="attribute_not_exists(tokens_stale_at) OR tokens_stale_at < :newest",
        )
    except ConditionFailed:
        # Another writer has set a later time, which includes these ends.
        _update("DELETE ended :removed", removed)


def _update(expression: str, values: dict[str, Any], **more: str) -> dynamodb.Json:
    request = {
        "TableName": settings.current().table(TABLE),
        "Key": KEY,
        "UpdateExpression": expression,
        "ExpressionAttributeValues": values,
    }
    return dynamodb.call("UpdateItem", request | more)


def _hash(client_id: str) -> str:
    return secrets.digest(client_id)[:DIGEST_LENGTH]


def _time_of(entry: str) -> int:
    return int(entry.partition(" ")[0])


def _report_loss(error: DynamoDBError) -> None:
    # The same metric as for a lost mark, because its effect and its remedy are the same.
    telemetry.error("client_end_lost", code=error.code)
    telemetry.count("StaleMarkLost")
