"""What is found out rather than done: a quota that is nearly spent, something unusual. Told once, whoever finds it.

A claim under a derived key decides who tells, in one transaction with the event; the event gets an id of its own, so
that ids keep the order in which things became known, and whoever reads on from an id misses nothing. Written in the
wire's own JSON: an admission that finds something out must not import models.
"""

from collections.abc import Mapping

from chalicelib.core import clock, ids, settings, telemetry, wire
from chalicelib.events import kinds

TABLE = "events"
CLAIMS = "#once"
"""What an account's claims lie under, beside its events."""


def tell_once(
    account_id: str, kind: str, once: str, changed: Mapping[str, str], *, actor: str, ip: str | None = None
) -> bool:
    """Record that `kind` happened to an account, unless it was recorded under the same `once`; tell whether it was now.

    A failure is logged and counted, and comes back as False: what was found out stands, and a sweep finds it again.
    """
    if kind not in kinds.WORDS:
        raise ValueError(f"{kind} is no type of event.")
    table, now_ms = settings.current().table(TABLE), clock.now_ms()
    dies_at = {"N": str(now_ms // 1000 + settings.current().events_kept_days * clock.DAY_S)}
    claim = {"account_id": {"S": account_id + CLAIMS}, "id": {"S": f"{kind}#{once}"}, "dies_at": dies_at}
    event = {
        "account_id": {"S": account_id},
        "id": {"S": ids.new("evt")},
        "type": {"S": kind},
        "at": {"N": str(now_ms)},
        "actor": {"S": actor},
        "changed": {"M": {name: {"S": value} for name, value in changed.items()}},
        "dies_at": dies_at,
        **({"source_ip": {"S": ip}} if ip else {}),
    }
    new = "attribute_not_exists(id)"
    puts = [{"Put": {"TableName": table, "Item": item, "ConditionExpression": new}} for item in (claim, event)]
    try:
        wire.call("TransactWriteItems", {"TransactItems": puts})
    except wire.Cancelled as error:
        if not error.was_refused:
            _failed(kind, error)
        return False
    except wire.WireError as error:
        _failed(kind, error)
        return False
    return True


def _failed(kind: str, error: wire.WireError) -> None:
    telemetry.error("notable_not_told", type=kind, code=error.code)
    telemetry.count("NotableLost")
