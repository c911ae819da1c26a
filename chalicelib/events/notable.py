"""Record an observation, such as an exhausted quota, exactly once.

One transaction stores the event and a claim item, and fails if the claim exists. The claim is in the same table under a
partition key that no account has, so queries for events never return it. The event's id contains the time of the write,
so that a client that pages by id misses no event. The items are written in DynamoDB's JSON, because this module is used
while a request waits.
"""

from collections.abc import Mapping

from chalicelib.core import clock, ids, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Cancelled, DynamoDBError
from chalicelib.events import actors, kinds

TABLE = "events"
SYSTEM = actors.SYSTEM


def record_once(
    account_id: str, kind: str, once: str, changed: Mapping[str, str], *, actor: str = SYSTEM, ip: str = ""
) -> bool:
    """Record an event of type `kind` unless one is recorded under the key `once`; return whether this call recorded it.

    Raises DynamoDBError when DynamoDB fails. The failure is counted in a metric, and a later call can record the event.
    """
    kinds.check_subject(kind, account_id)
    now_ms = clock.now_ms()
    dies_at = {"N": str(now_ms // 1000 + settings.current().events_kept_s)}
    claim = {**_claim_key(account_id, kind, once), "dies_at": dies_at}
    event = {
        "account_id": {"S": account_id},
        "id": {"S": ids.new("evt")},
        "type": {"S": kind},
        "at": {"N": str(now_ms)},
        "actor": {"S": actor},
        **({"source_ip": {"S": ip}} if ip else {}),
        "changed": {"M": {name: {"S": value} for name, value in changed.items()}},
        "dies_at": dies_at,
    }
    try:
        dynamodb.call("TransactWriteItems", {"TransactItems": [_put(claim), _put(event)]}, dynamodb.FAIL_FAST)
    except Cancelled as error:
        if not error.was_refused:
            _report_failure(kind, error)
            raise
        return False
    except DynamoDBError as error:
        _report_failure(kind, error)
        raise
    return True


def is_recorded(account_id: str, kind: str, once: str) -> bool:
    """Return whether an event of type `kind` was recorded under the key `once`."""
    key = _claim_key(account_id, kind, once)
    request = {"TableName": settings.current().table(TABLE), "Key": key, "ConsistentRead": True}
    return "Item" in dynamodb.call("GetItem", request)


def _claim_key(account_id: str, kind: str, once: str) -> dynamodb.Json:
    return {"account_id": {"S": f"{account_id}#once"}, "id": {"S": f"{kind}#{once}"}}


def _put(item: dynamodb.Json) -> dynamodb.Json:
    table = settings.current().table(TABLE)
    return {"Put": {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(id)"}}


def _report_failure(kind: str, error: DynamoDBError) -> None:
    telemetry.warning("event_not_told", type=kind, code=error.code)
    telemetry.count("EventNotTold")
