"""Carry-over: a new account takes over this hour's usage of the account that it replaces."""

import pytest

from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits.admission import Stale, admit
from chalicelib.limits.carry_over import carry_over
from chalicelib.limits.tiers import ENTERPRISE, FREE, PRO
from tests.support.harness import START_MS, TestApp

HOUR = START_MS // 1000


def test_new_subject_starts_with_the_old_usage_of_all_tiers(latchkey: TestApp) -> None:
    """The usage of every tier is carried over, and repeating the carry-over changes nothing."""
    latchkey.set_counters("acc_old", PRO, used=1_000)
    latchkey.clock.forward(3_600)
    for tier, used in ((FREE, 100), (PRO, 20), (ENTERPRISE, 3)):
        latchkey.set_counters("acc_old", tier, used=used, burst=used)
    for _ in range(2):
        carry_over("acc_old", "acc_new", PRO)
        assert latchkey.counters("acc_new", PRO) == {"used": 123, "dies_at": HOUR + 3_600 + 31 * 86_400}
    assert latchkey.counters("acc_new", FREE) == {}


def test_unused_subject_carries_nothing_over(latchkey: TestApp) -> None:
    """If the old account has no usage, no counters are written for the new account."""
    carry_over("acc_old", "acc_new", FREE)
    assert latchkey.counters("acc_new", FREE) == {}


def test_one_request_is_carried_over(latchkey: TestApp) -> None:
    """Even the usage of a single request is carried over."""
    admit("acc_old", FREE)
    carry_over("acc_old", "acc_new", FREE)
    assert admit("acc_new", FREE).quota_left == 998


def test_old_subject_is_marked_before_it_is_read(latchkey: TestApp) -> None:
    """The old account is marked as changed before its usage is read.

    Requests that were verified earlier then no longer count against it, so the usage can't grow after the read.
    """
    admit("acc_old", FREE)
    bodies: list[dynamodb.Json] = []
    through = dynamodb.sender()

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        if operation == "BatchGetItem":
            bodies.append(body)
            with pytest.raises(Stale):
                admit("acc_old", FREE, verified_at_ms=clock.now_ms() - 1)
        return through(operation, body)

    with dynamodb.use_sender(send), telemetry.record_calls() as calls:
        carry_over("acc_old", "acc_new", FREE)
    assert [body["RequestItems"]["latchkey-test-windows"]["ConsistentRead"] for body in bodies] == [True]
    assert {operation for operation, _ in calls.made} == {"UpdateItem", "BatchGetItem"}


def test_carry_over_fails_without_the_mark(latchkey: TestApp) -> None:
    """The carry-over fails if the invalidation mark can't be set, because the old usage could still grow."""
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
    with pytest.raises(errors.Unavailable):
        carry_over("acc_old", "acc_new", FREE)
