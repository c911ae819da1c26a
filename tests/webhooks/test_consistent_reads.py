"""Strongly consistent reads where a decision depends on the result."""

from collections.abc import Callable

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, ssrf_rule
from chalicelib.webhooks import (
    deliver,
    delivery_queue,
    endpoint_lock,
    endpoints,
    fan_out,
    send_delivery,
    unverified_endpoints,
)
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.tables import Endpoint
from tests.support.harness import TestApp
from tests.support.interleaving import record_calls
from tests.webhooks.told import reload

READS: dict[str, Callable[[Endpoint], object]] = {
    "listed": lambda endpoint: list(endpoints.of_account(endpoint.account_id)),
    "deleted": lambda endpoint: unverified_endpoints.delete_all(Account(endpoint.account_id)),
    "owned": lambda endpoint: endpoints.find_owned(endpoint.account_id, endpoint.id),
    "standing": lambda endpoint: delivery_queue.read_endpoints([(endpoint.account_id, endpoint.id)]),
    "tested": deliver.send_test,
    "caught_up": lambda endpoint: deliver._try_recent(endpoint, clock.now_ms(), clock.now_ms() + 1, ssrf_rule.resolve),
}


@pytest.mark.parametrize("what", READS)
def test_decisive_reads_are_strongly_consistent(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Every read of items on which a decision depends is strongly consistent."""
    monkeypatch.setattr(send_delivery, "send", lambda *_, **__: Outcome(clock.now_ms(), 5, 200))
    endpoint = endpoints.create(latchkey.account().id, url="https://example.com/", name="A", types=None)
    fan_out.new_delivery(endpoint, "evt_" + "0" * 20, "key.created", "{}", due_at=0).save()
    endpoint_lock.mark_backlogged(endpoint)
    with record_calls() as calls:
        READS[what](reload(endpoint))
    reads = [request for operation, request in calls if operation in ("GetItem", "Query")]
    reads += [
        each for operation, call in calls if operation == "BatchGetItem" for each in call["RequestItems"].values()
    ]
    assert reads
    assert all(request["ConsistentRead"] for request in reads)
