"""Telling an account of what nobody changed, once: a claim and the event in one transaction, written after the fact.

The claim lies beside the events, under a partition that no account has, so no reader of events meets it. The event has
an id of its own moment: whoever reads on from an id misses nothing. In the wire's own JSON: the hot path may tell.
"""

from collections.abc import Mapping

from chalicelib.core import clock, ids, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Cancelled, WireError
from chalicelib.events import actors, kinds

TABLE = "events"
LATCHKEY = actors.LATCHKEY


def tell_once(
    account_id: str, kind: str, once: str, changed: Mapping[str, str], *, actor: str = LATCHKEY, ip: str = ""
) -> bool:
    """Record that `kind` happened to an account, unless it is recorded under `once`; tell whether this call did.

    Raises WireError when the database didn't write it; that is counted, and whoever notices next may tell it.
    """
    if kind not in kinds.WORDS:
        raise ValueError(f"{kind} is no type of event.")
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
        dynamodb.call("TransactWriteItems", {"TransactItems": [_put(claim), _put(event)]}, dynamodb.AT_ONCE)
    except Cancelled as refusal:
        if not refusal.was_refused:
            _not_told(kind, refusal)
            raise
        return False
    except WireError as error:
        _not_told(kind, error)
        raise
    return True


def was_told(account_id: str, kind: str, once: str) -> bool:
    """Tell whether `kind` is recorded under `once`."""
    key = _claim_key(account_id, kind, once)
    request = {"TableName": settings.current().table(TABLE), "Key": key, "ConsistentRead": True}
    return "Item" in dynamodb.call("GetItem", request)


def _claim_key(account_id: str, kind: str, once: str) -> dynamodb.Json:
    return {"account_id": {"S": f"{account_id}#once"}, "id": {"S": f"{kind}#{once}"}}


def _put(item: dynamodb.Json) -> dynamodb.Json:
    table = settings.current().table(TABLE)
    return {"Put": {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(id)"}}


def _not_told(kind: str, error: WireError) -> None:
    telemetry.warning("event_not_told", type=kind, code=error.code)
    telemetry.count("EventNotTold")
