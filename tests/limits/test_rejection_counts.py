"""Refusals for people to see: added up in the process, written in passing, never at a price."""

import io
import json

import pytest

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import WireError
from chalicelib.limits import counter_items, local_cache, recorded_usage, rejection_counts
from chalicelib.limits.admission import Refused, admit
from chalicelib.limits.counter_items import Window
from chalicelib.limits.tiers import Tier
from tests.support.harness import TestApp

BURST = Tier("free", 1_000, 2)
QUOTA = Tier("free", 2, 50)


def refuse(tier: Tier, times: int = 1, subject: str = "acc_1") -> int:
    """Be refused so many times, and return how many calls that cost."""
    with telemetry.calls_watched() as calls:
        for _ in range(times):
            with pytest.raises(Refused):
                admit(subject, tier)
    return len(calls.made)


def spend(latchkey: TestApp, tier: Tier, subject: str = "acc_1") -> None:
    """Use up what there is."""
    for _ in range(2):
        admit(subject, tier)


def window(latchkey: TestApp, subject: str = "acc_1") -> Window:
    """Return the window of now."""
    return counter_items.window_at(subject, QUOTA, latchkey.clock.now_ms)


def test_refusals_are_written_with_the_next_admission(latchkey: TestApp) -> None:
    """The write that lets the next request through carries the sum; there is no other."""
    spend(latchkey, BURST)
    assert refuse(BURST, 7) == 1
    assert "refused" not in latchkey.counters("acc_1")
    latchkey.clock.forward(1)
    with telemetry.calls_watched() as calls:
        admit("acc_1", BURST)
    assert calls.made == [("UpdateItem", "latchkey-test-windows")]
    assert latchkey.counters("acc_1")["refused"] == 7
    admit("acc_1", BURST)
    assert latchkey.counters("acc_1")["refused"] == 7


def test_refusals_cost_no_call_for_ten_seconds(latchkey: TestApp) -> None:
    """The first is the database's own answer; those that follow are remembered and added up."""
    spend(latchkey, QUOTA)
    assert refuse(QUOTA) == 1
    for _ in range(9):
        latchkey.clock.forward(1)
        assert refuse(QUOTA, 10) == 0
    latchkey.clock.forward(0.999)
    assert refuse(QUOTA) == 0


def test_refusals_are_written_by_themselves_after_ten_seconds(latchkey: TestApp) -> None:
    """A caller who is never admitted is seen all the same: one write for all of them."""
    spend(latchkey, QUOTA)
    refuse(QUOTA, 50)
    latchkey.clock.forward(10)
    # One call asks whether the quota is still spent, one writes the sum.
    assert refuse(QUOTA) == 2
    assert latchkey.counters("acc_1")["refused"] == 51
    assert latchkey.counters("acc_1")["used"] == 2


def test_refusals_of_two_subjects_are_their_own(latchkey: TestApp) -> None:
    """Nobody's refusals are written with another's admission."""
    spend(latchkey, BURST, "acc_1")
    spend(latchkey, BURST, "acc_2")
    refuse(BURST, 3, "acc_1")
    refuse(BURST, 5, "acc_2")
    latchkey.clock.forward(1)
    admit("acc_1", BURST)
    assert latchkey.counters("acc_1")["refused"] == 3
    assert "refused" not in latchkey.counters("acc_2")


def test_refusals_that_cant_be_written_are_tried_again_after_ten_seconds(latchkey: TestApp) -> None:
    """While the database is away a flood of refusals asks it once in ten seconds, and loses none of the sum."""
    log = io.StringIO()
    telemetry.write_to(log)
    rejection_counts.note(window(latchkey))
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
    asked = []
    for forward_s in (9.999, 0.001, 1, 8.999, 0.001):
        latchkey.clock.forward(forward_s)
        with telemetry.calls_watched() as calls:
            rejection_counts.note(window(latchkey))
        asked.append(len(calls.made))
    assert asked == [0, 1, 0, 0, 1]
    assert rejection_counts.held(window(latchkey)).refused == 6
    logged = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(each["level"], each["message"], each["code"]) for each in logged] == [
        ("WARNING", "refusals_not_written", "ResourceNotFoundException")
    ] * 2


def test_refusals_of_many_are_not_remembered_without_end(latchkey: TestApp) -> None:
    """A flood of strangers fills no memory: the oldest sums are forgotten."""
    for number in range(rejection_counts.ITEMS_MAX + 10):
        rejection_counts.note(window(latchkey, f"ip_{number}"))
    assert rejection_counts.held(window(latchkey, "ip_9")).refused == 0
    assert rejection_counts.held(window(latchkey, "ip_10")).refused == 1
    assert rejection_counts.held(window(latchkey, f"ip_{rejection_counts.ITEMS_MAX + 9}")).refused == 1


def test_refusal_during_the_write_is_not_lost(latchkey: TestApp) -> None:
    """What came while a sum was being written stays for the next one."""
    for _ in range(3):
        rejection_counts.note(window(latchkey))
    with rejection_counts.taken(window(latchkey)) as carried:
        rejection_counts.note(window(latchkey))
    assert carried.refused == 3
    assert rejection_counts.held(window(latchkey)).refused == 1


def test_refusals_are_carried_by_one_write_only(latchkey: TestApp) -> None:
    """While one write is on its way with a sum, the next has nothing to carry; each refusal is counted once."""
    for _ in range(5):
        rejection_counts.note(window(latchkey), "kAAAAAAA")
    with rejection_counts.taken(window(latchkey)) as first, rejection_counts.taken(window(latchkey)) as second:
        assert (first.refused, dict(first.by_name)) == (5, {"qAAAAAAA": 5})
        assert second is rejection_counts.NONE
    assert rejection_counts.held(window(latchkey)) is rejection_counts.NONE


def test_refusals_of_a_write_that_fails_are_given_back(latchkey: TestApp) -> None:
    """By name, too, and held since the same moment as before."""
    rejection_counts.note(window(latchkey), "kAAAAAAA")
    latchkey.clock.forward(9)
    with pytest.raises(WireError), rejection_counts.taken(window(latchkey)):
        dynamodb.call("GetItem", {"TableName": settings.current().table("nothing"), "Key": {"id": {"S": "x"}}})
    assert rejection_counts.held(window(latchkey)) == rejection_counts.Sum(1, {"qAAAAAAA": 1})
    latchkey.clock.forward(1)
    rejection_counts.note(window(latchkey))
    assert latchkey.counters("acc_1")["refused"] == 2
    assert latchkey.counters("acc_1")["qAAAAAAA"] == 1


def test_log_in_attempts_that_are_refused_stay_with_their_own_counters(latchkey: TestApp) -> None:
    """A refused guess is not among the refusals of the account that was guessed at."""
    tier = Tier("log-in-email", 1, 1)
    admit("log-in-email_x", tier)
    refuse(tier, 3, "log-in-email_x")
    latchkey.clock.forward(3_600)
    admit("log-in-email_x", tier)
    assert latchkey.counters("acc_1") == {}


def test_refusals_are_held_in_one_sum_and_by_the_credential_that_is_known(latchkey: TestApp) -> None:
    """A refusal without one is in the sum alone, a failure in no sum but its own."""
    rejection_counts.note(window(latchkey))
    assert rejection_counts.held(window(latchkey)) == rejection_counts.Sum(1, {})
    rejection_counts.note(window(latchkey), "kAda0000")
    rejection_counts.note(window(latchkey), "cApp0000")
    rejection_counts.note(window(latchkey), "kAda0000")
    rejection_counts.note_failure(window(latchkey), "kAda0000")
    rejection_counts.note_failure(window(latchkey), "kAda0000")
    assert rejection_counts.held(window(latchkey)) == rejection_counts.Sum(
        4, {"qAda0000": 2, "qApp0000": 1, "fAda0000": 2}
    )
    rejection_counts.forget()
    assert rejection_counts.held(window(latchkey)) is rejection_counts.NONE


def test_two_sums_are_added_name_by_name() -> None:
    """And neither is changed by it."""
    one, other = rejection_counts.Sum(1, {"qA": 1, "fA": 2}), rejection_counts.Sum(2, {"fA": 3, "qB": 4})
    assert one + other == rejection_counts.Sum(3, {"qA": 1, "fA": 5, "qB": 4})
    assert (one, other) == (rejection_counts.Sum(1, {"qA": 1, "fA": 2}), rejection_counts.Sum(2, {"fA": 3, "qB": 4}))


def test_sum_is_written_to_an_item_that_nothing_else_has_made(latchkey: TestApp) -> None:
    """With the time after which it may be deleted, and by name only what has one."""
    for counter in (None, "kAda0000"):
        rejection_counts.note(window(latchkey), counter)
    latchkey.clock.forward(10)
    rejection_counts.note(window(latchkey))
    dies_at = latchkey.clock.now_ms // 1000 - 10 + QUOTA.kept_s
    assert latchkey.counters("acc_1") == {"refused": 3, "qAda0000": 1, "dies_at": dies_at}
    assert rejection_counts.held(window(latchkey)) is rejection_counts.NONE


def test_sum_without_names_is_written_without_names(latchkey: TestApp) -> None:
    """DynamoDB refuses a request with an empty set of names."""
    bodies: list[dynamodb.Json] = []

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        bodies.append(body)
        return {}

    with dynamodb.sent_by(send):
        rejection_counts.note(window(latchkey))
        latchkey.clock.forward(10)
        rejection_counts.note(window(latchkey))
        rejection_counts.note(window(latchkey), "kAda0000")
        latchkey.clock.forward(10)
        rejection_counts.note(window(latchkey))
    assert ["ExpressionAttributeNames" in body for body in bodies] == [False, True]
    assert all("REMOVE" not in body["UpdateExpression"] for body in bodies)


def test_write_of_refusals_tidies_up_what_the_item_has_too_much_of(latchkey: TestApp) -> None:
    """As an admission's does: it may be the only one that this item still gets."""
    names = {f"n{number:08}": {"S": "kAda0000"} for number in range(recorded_usage.NETWORKS_MAX + 2)}
    table = settings.current().table("windows")
    key = counter_items.item_key("acc_1", QUOTA, latchkey.clock.now_ms // 1000)
    dynamodb.call("PutItem", {"TableName": table, "Item": key | names})
    local_cache.note(window(latchkey), names)
    rejection_counts.note(window(latchkey))
    latchkey.clock.forward(10)
    rejection_counts.note(window(latchkey))
    item = dynamodb.call("GetItem", {"TableName": table, "Key": key})["Item"]
    assert set(recorded_usage.networks_of(item)) == set(sorted(names)[: recorded_usage.NETWORKS_MAX])
    assert (item["refused"], item["n_other"]) == ({"N": "2"}, {"N": "2"})


@pytest.mark.parametrize(("after_s", "calls_made"), [(-60, 0), (-0.001, 0), (0, 0), (9.999, 0), (10, 1)])
def test_sum_is_written_once_it_was_held_for_ten_seconds(latchkey: TestApp, after_s: float, calls_made: int) -> None:
    """A clock that is set back makes it no older."""
    latchkey.clock.forward(60)
    rejection_counts.note(window(latchkey))
    latchkey.clock.forward(after_s)
    with telemetry.calls_watched() as calls:
        rejection_counts.note(window(latchkey))
    assert len(calls.made) == calls_made
    if not calls_made:
        assert rejection_counts.held(window(latchkey)).refused == 2


def test_sum_that_another_thread_has_taken_is_not_written_again(latchkey: TestApp) -> None:
    """There is nothing to write then."""
    with telemetry.calls_watched() as calls:
        rejection_counts._write(window(latchkey))
    assert calls.made == []


def test_sum_given_back_is_as_old_as_before_and_joins_what_came_meanwhile(latchkey: TestApp) -> None:
    """It is written ten seconds after its own first refusal."""
    rejection_counts.note(window(latchkey))
    latchkey.clock.forward(4)

    def fail() -> None:
        rejection_counts.note(window(latchkey), "kAda0000")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), rejection_counts.taken(window(latchkey)):
        fail()
    assert rejection_counts.held(window(latchkey)) == rejection_counts.Sum(2, {"qAda0000": 1})
    latchkey.clock.forward(6)
    rejection_counts.note(window(latchkey))
    assert latchkey.counters("acc_1")["refused"] == 3


def test_write_that_carried_nothing_gives_nothing_back(latchkey: TestApp) -> None:
    """A held sum takes a place of the few that there are."""
    with pytest.raises(KeyboardInterrupt), rejection_counts.taken(window(latchkey)):
        raise KeyboardInterrupt
    assert rejection_counts.held(window(latchkey)) is rejection_counts.NONE
