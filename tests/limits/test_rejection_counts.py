"""Rejection counts: added up in memory and written with other writes, so that rejections cost no calls."""

import io
import json

import pytest

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.core.process_cache import CACHES
from chalicelib.limits import counter_items, local_cache, recorded_usage, rejection_counts
from chalicelib.limits.admission import Rejected, admit
from chalicelib.limits.counter_items import Window
from chalicelib.limits.tiers import Tier
from tests.support.harness import TestApp

BURST = Tier("free", 1_000, 2)
QUOTA = Tier("free", 2, 50)


def reject(tier: Tier, times: int = 1, subject: str = "acc_1") -> int:
    """Send requests until `times` are rejected, and return the number of database calls."""
    with telemetry.record_calls() as calls:
        for _ in range(times):
            with pytest.raises(Rejected):
                admit(subject, tier)
    return len(calls.made)


def spend(latchkey: TestApp, tier: Tier, subject: str = "acc_1") -> None:
    """Exhaust the quota."""
    for _ in range(2):
        admit(subject, tier)


def window(latchkey: TestApp, subject: str = "acc_1") -> Window:
    """Return the window at the current time."""
    return counter_items.window_at(subject, QUOTA, latchkey.clock.now_ms)


def test_rejections_are_written_with_the_next_admission(latchkey: TestApp) -> None:
    """The write of the next admission includes the rejections; they cause no write themselves."""
    spend(latchkey, BURST)
    assert reject(BURST, 7) == 1
    assert "refused" not in latchkey.counters("acc_1")
    latchkey.clock.forward(1)
    with telemetry.record_calls() as calls:
        admit("acc_1", BURST)
    assert calls.made == [("UpdateItem", "latchkey-test-windows")]
    assert latchkey.counters("acc_1")["refused"] == 7
    admit("acc_1", BURST)
    assert latchkey.counters("acc_1")["refused"] == 7


def test_rejections_cost_no_call_for_ten_seconds(latchkey: TestApp) -> None:
    """The first rejection costs a database call. For ten seconds, later rejections come from the cache and are added up
    in memory.
    """
    spend(latchkey, QUOTA)
    assert reject(QUOTA) == 1
    for _ in range(9):
        latchkey.clock.forward(1)
        assert reject(QUOTA, 10) == 0
    latchkey.clock.forward(0.999)
    assert reject(QUOTA) == 0


def test_rejections_are_written_separately_after_ten_seconds(latchkey: TestApp) -> None:
    """Rejections of a caller that is never admitted are written after ten seconds."""
    spend(latchkey, QUOTA)
    reject(QUOTA, 50)
    latchkey.clock.forward(10)
    # One call checks the quota again, and one call writes the counts.
    assert reject(QUOTA) == 2
    assert latchkey.counters("acc_1")["refused"] == 51
    assert latchkey.counters("acc_1")["used"] == 2


def test_rejections_of_two_subjects_are_separate(latchkey: TestApp) -> None:
    """An admission of one subject doesn't write the rejections of another."""
    spend(latchkey, BURST, "acc_1")
    spend(latchkey, BURST, "acc_2")
    reject(BURST, 3, "acc_1")
    reject(BURST, 5, "acc_2")
    latchkey.clock.forward(1)
    admit("acc_1", BURST)
    assert latchkey.counters("acc_1")["refused"] == 3
    assert "refused" not in latchkey.counters("acc_2")


def test_failed_write_of_rejections_is_retried_after_ten_seconds(latchkey: TestApp) -> None:
    """During an outage one call is made every 10 s, and no rejection is lost."""
    log = io.StringIO()
    telemetry.write_to(log)
    rejection_counts.record_rejection(window(latchkey))
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
    asked = []
    for forward_s in (9.999, 0.001, 1, 8.999, 0.001):
        latchkey.clock.forward(forward_s)
        with telemetry.record_calls() as calls:
            rejection_counts.record_rejection(window(latchkey))
        asked.append(len(calls.made))
    assert asked == [0, 1, 0, 0, 1]
    assert rejection_counts.pending(window(latchkey)).rejected == 6
    logged = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(each["level"], each["message"], each["code"]) for each in logged] == [
        ("WARNING", "refusals_not_written", "ResourceNotFoundException")
    ] * 2


def test_number_of_pending_counts_is_bounded(latchkey: TestApp) -> None:
    """A flood from many networks can't fill the memory, because the oldest counts are dropped."""
    for number in range(rejection_counts.ITEMS_MAX + 10):
        rejection_counts.record_rejection(window(latchkey, f"ip_{number}"))
    assert rejection_counts.pending(window(latchkey, "ip_9")).rejected == 0
    assert rejection_counts.pending(window(latchkey, "ip_10")).rejected == 1
    assert rejection_counts.pending(window(latchkey, f"ip_{rejection_counts.ITEMS_MAX + 9}")).rejected == 1


def test_rejection_during_the_write_is_not_lost(latchkey: TestApp) -> None:
    """A rejection during a write is counted by the next write."""
    for _ in range(3):
        rejection_counts.record_rejection(window(latchkey))
    with rejection_counts.flush_with(window(latchkey)) as carried:
        rejection_counts.record_rejection(window(latchkey))
    assert carried.rejected == 3
    assert rejection_counts.pending(window(latchkey)).rejected == 1


def test_rejections_are_carried_by_one_write_only(latchkey: TestApp) -> None:
    """Of two concurrent writes one includes the count, so each rejection is counted once."""
    for _ in range(5):
        rejection_counts.record_rejection(window(latchkey), "kAAAAAAA")
    with (
        rejection_counts.flush_with(window(latchkey)) as first,
        rejection_counts.flush_with(window(latchkey)) as second,
    ):
        assert (first.rejected, dict(first.by_name)) == (5, {"qAAAAAAA": 5})
        assert second is rejection_counts.NO_COUNTS
    assert rejection_counts.pending(window(latchkey)) is rejection_counts.NO_COUNTS


def test_failed_write_makes_its_counts_pending_again(latchkey: TestApp) -> None:
    """The counts of a failed write are pending again, with their names and their age."""
    rejection_counts.record_rejection(window(latchkey), "kAAAAAAA")
    latchkey.clock.forward(9)
    with pytest.raises(DynamoDBError), rejection_counts.flush_with(window(latchkey)):
        dynamodb.call("GetItem", {"TableName": settings.current().table("nothing"), "Key": {"id": {"S": "x"}}})
    assert rejection_counts.pending(window(latchkey)) == rejection_counts.Counts(1, {"qAAAAAAA": 1})
    latchkey.clock.forward(1)
    rejection_counts.record_rejection(window(latchkey))
    assert latchkey.counters("acc_1")["refused"] == 2
    assert latchkey.counters("acc_1")["qAAAAAAA"] == 1


def test_rejected_log_in_attempts_are_counted_by_their_own_subject(latchkey: TestApp) -> None:
    """A rejected password guess doesn't count as a rejected request of the guessed account."""
    tier = Tier("log-in-email", 1, 1)
    admit("log-in-email_x", tier)
    reject(tier, 3, "log-in-email_x")
    latchkey.clock.forward(3_600)
    admit("log-in-email_x", tier)
    assert latchkey.counters("acc_1") == {}


def test_rejections_are_counted_in_total_and_by_credential(latchkey: TestApp) -> None:
    """A rejection of an anonymous caller counts in the total only, and a failed request only for its credential."""
    rejection_counts.record_rejection(window(latchkey))
    assert rejection_counts.pending(window(latchkey)) == rejection_counts.Counts(1, {})
    rejection_counts.record_rejection(window(latchkey), "kAda0000")
    rejection_counts.record_rejection(window(latchkey), "cApp0000")
    rejection_counts.record_rejection(window(latchkey), "kAda0000")
    rejection_counts.record_failure(window(latchkey), "kAda0000")
    rejection_counts.record_failure(window(latchkey), "kAda0000")
    assert rejection_counts.pending(window(latchkey)) == rejection_counts.Counts(
        4, {"qAda0000": 2, "qApp0000": 1, "fAda0000": 2}
    )
    CACHES["limits.rejection_counts"].clear()
    assert rejection_counts.pending(window(latchkey)) is rejection_counts.NO_COUNTS


def test_counts_are_added_by_name() -> None:
    """Two counts are added by name, and both stay unchanged."""
    one, other = rejection_counts.Counts(1, {"qA": 1, "fA": 2}), rejection_counts.Counts(2, {"fA": 3, "qB": 4})
    assert one + other == rejection_counts.Counts(3, {"qA": 1, "fA": 5, "qB": 4})
    assert (one, other) == (
        rejection_counts.Counts(1, {"qA": 1, "fA": 2}),
        rejection_counts.Counts(2, {"fA": 3, "qB": 4}),
    )


def test_counts_create_the_item_if_needed(latchkey: TestApp) -> None:
    """A write of counts creates a missing item with a time of deletion, and declares attribute names for named counts
    only.
    """
    for counter in (None, "kAda0000"):
        rejection_counts.record_rejection(window(latchkey), counter)
    latchkey.clock.forward(10)
    rejection_counts.record_rejection(window(latchkey))
    dies_at = latchkey.clock.now_ms // 1000 - 10 + QUOTA.kept_s
    assert latchkey.counters("acc_1") == {"refused": 3, "qAda0000": 1, "dies_at": dies_at}
    assert rejection_counts.pending(window(latchkey)) is rejection_counts.NO_COUNTS


def test_counts_without_names_send_no_names(latchkey: TestApp) -> None:
    """The request to DynamoDB contains no attribute names if no count is named, because DynamoDB rejects an empty set
    of names.
    """
    bodies: list[dynamodb.Json] = []

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        bodies.append(body)
        return {}

    with dynamodb.use_sender(send):
        rejection_counts.record_rejection(window(latchkey))
        latchkey.clock.forward(10)
        rejection_counts.record_rejection(window(latchkey))
        rejection_counts.record_rejection(window(latchkey), "kAda0000")
        latchkey.clock.forward(10)
        rejection_counts.record_rejection(window(latchkey))
    assert ["ExpressionAttributeNames" in body for body in bodies] == [False, True]
    assert all("REMOVE" not in body["UpdateExpression"] for body in bodies)


def test_write_of_counts_removes_overflow(latchkey: TestApp) -> None:
    """A write of counts removes additional names, because it may be the last write of the item."""
    names = {f"n{number:08}": {"S": "kAda0000"} for number in range(recorded_usage.NETWORKS_MAX + 2)}
    table = settings.current().table("windows")
    key = counter_items.item_key("acc_1", QUOTA, latchkey.clock.now_ms // 1000)
    dynamodb.call("PutItem", {"TableName": table, "Item": key | names})
    local_cache.store(window(latchkey), names)
    rejection_counts.record_rejection(window(latchkey))
    latchkey.clock.forward(10)
    rejection_counts.record_rejection(window(latchkey))
    item = dynamodb.call("GetItem", {"TableName": table, "Key": key})["Item"]
    assert set(recorded_usage.networks_of(item)) == set(sorted(names)[: recorded_usage.NETWORKS_MAX])
    assert (item["refused"], item["n_other"]) == ({"N": "2"}, {"N": "2"})


@pytest.mark.parametrize(("after_s", "calls_made"), [(-60, 0), (-0.001, 0), (0, 0), (9.999, 0), (10, 1)])
def test_counts_are_written_after_ten_seconds(latchkey: TestApp, after_s: float, calls_made: int) -> None:
    """Counts are due after ten seconds; setting the clock back doesn't make them due earlier."""
    latchkey.clock.forward(60)
    rejection_counts.record_rejection(window(latchkey))
    latchkey.clock.forward(after_s)
    with telemetry.record_calls() as calls:
        rejection_counts.record_rejection(window(latchkey))
    assert len(calls.made) == calls_made
    if not calls_made:
        assert rejection_counts.pending(window(latchkey)).rejected == 2


def test_counts_popped_by_another_thread_are_not_written_again(latchkey: TestApp) -> None:
    """Counts that another thread has taken aren't written a second time."""
    with telemetry.record_calls() as calls:
        rejection_counts._write(window(latchkey))
    assert calls.made == []


def test_restored_counts_keep_their_age_and_are_merged(latchkey: TestApp) -> None:
    """Restored counts are added to newer ones and are due ten seconds after their first rejection."""
    rejection_counts.record_rejection(window(latchkey))
    latchkey.clock.forward(4)

    def fail() -> None:
        rejection_counts.record_rejection(window(latchkey), "kAda0000")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), rejection_counts.flush_with(window(latchkey)):
        fail()
    assert rejection_counts.pending(window(latchkey)) == rejection_counts.Counts(2, {"qAda0000": 1})
    latchkey.clock.forward(6)
    rejection_counts.record_rejection(window(latchkey))
    assert latchkey.counters("acc_1")["refused"] == 3


def test_write_without_counts_restores_nothing(latchkey: TestApp) -> None:
    """A write without counts restores nothing, because an empty count would use one of the few entries."""
    with pytest.raises(KeyboardInterrupt), rejection_counts.flush_with(window(latchkey)):
        raise KeyboardInterrupt
    assert rejection_counts.pending(window(latchkey)) is rejection_counts.NO_COUNTS
