"""An account's use of an hour counts for the one that takes its place."""

import pytest

from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits.admission import Stale, admit
from chalicelib.limits.carry_over import carry_over
from chalicelib.limits.tiers import ENTERPRISE, FREE, PRO
from tests.support.harness import START_MS, TestApp

HOUR = START_MS // 1000


def test_new_subject_begins_with_what_the_old_one_used_under_all_tiers(latchkey: TestApp) -> None:
    """Of this hour, whatever its tier is; carrying it twice changes nothing."""
    latchkey.set_counters("acc_old", PRO, used=1_000)
    latchkey.clock.forward(3_600)
    for tier, used in ((FREE, 100), (PRO, 20), (ENTERPRISE, 3)):
        latchkey.set_counters("acc_old", tier, used=used, burst=used)
    for _ in range(2):
        carry_over("acc_old", "acc_new", PRO)
        assert latchkey.counters("acc_new", PRO) == {"used": 123, "dies_at": HOUR + 3_600 + 31 * 86_400}
    assert latchkey.counters("acc_new", FREE) == {}


def test_subject_that_used_nothing_leaves_nothing(latchkey: TestApp) -> None:
    """Then the new one's counters aren't touched at all."""
    carry_over("acc_old", "acc_new", FREE)
    assert latchkey.counters("acc_new", FREE) == {}


def test_one_request_is_carried_over(latchkey: TestApp) -> None:
    """The least there is."""
    admit("acc_old", FREE)
    carry_over("acc_old", "acc_new", FREE)
    assert admit("acc_new", FREE).quota_left == 998


def test_old_subject_is_marked_before_it_is_read(latchkey: TestApp) -> None:
    """An earlier verification adds nothing to it afterwards; it is read as it is, never by a transaction."""
    admit("acc_old", FREE)
    bodies: list[dynamodb.Json] = []
    through = dynamodb.sender()

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        if operation == "BatchGetItem":
            bodies.append(body)
            with pytest.raises(Stale):
                admit("acc_old", FREE, verified_at_ms=clock.now_ms() - 1)
        return through(operation, body)

    with dynamodb.sent_by(send), telemetry.calls_watched() as calls:
        carry_over("acc_old", "acc_new", FREE)
    assert [body["RequestItems"]["latchkey-test-windows"]["ConsistentRead"] for body in bodies] == [True]
    assert {operation for operation, _ in calls.made} == {"UpdateItem", "BatchGetItem"}


def test_carrying_over_fails_where_the_mark_cannot_be_set(latchkey: TestApp) -> None:
    """Without the mark nobody knows what the old one still uses."""
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
    with pytest.raises(errors.Unavailable):
        carry_over("acc_old", "acc_new", FREE)
