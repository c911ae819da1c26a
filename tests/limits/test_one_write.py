"""An admission's one write and the meaning of its answer: each limit, mark and sum by its own number."""

import pytest

from chalicelib.core import telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import leases, local_cache, recorded_usage, rejection_counts
from chalicelib.limits.admission import NEVER_STALE, Refused, Stale, admit
from chalicelib.limits.counter_items import OTHER, window_at
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import ENTERPRISE, FREE, PRO, Tier
from tests.support.harness import START_MS, TestApp

KEY = "kAda0000"
ENDLESS = Tier("enterprise", None, 100)


def asked(tier: Tier, counter: str | None = None) -> Allowance | Refused:
    """Ask for one request; return what is left, or the refusal."""
    try:
        return admit("acc_1", tier, counter=counter)
    except Refused as refusal:
        return refusal


@pytest.mark.parametrize(
    ("quota", "used", "burst", "burst_used", "limit"),
    [
        (10, 9, 5, 4, None),
        (10, 10, 5, 4, "quota"),
        (10, 11, 5, 4, "quota"),
        (10, 9, 5, 5, "burst"),
        (10, 9, 5, 6, "burst"),
        (10, 10, 5, 5, "quota"),
        (None, 1_000_000, 5, 4, None),
        (None, 1_000_000, 5, 5, "burst"),
    ],
)
def test_last_admission_is_given_and_the_next_is_not(
    latchkey: TestApp, quota: int | None, used: int, burst: int, burst_used: int, limit: str | None
) -> None:
    """Of each limit by itself; the answer says what is left of both, and nothing was counted by a refusal."""
    tier = Tier("free", quota, burst)
    latchkey.set_counters("acc_1", tier, used=used, burst=burst_used)
    answer = asked(tier)
    if isinstance(answer, Refused):
        assert answer.limit == limit
        assert answer.left.quota_left == max(0, (quota or 0) - used)
        assert answer.left.burst_left == max(0, burst - burst_used)
        assert answer.retry_after_s == (3_600 if limit == "quota" else 1)
        assert latchkey.counters("acc_1", tier)["used"] == used
    else:
        assert limit is None
        assert (answer.quota_left, answer.burst_left) == (0, 0)
        assert latchkey.counters("acc_1", tier)["used"] == used + 1


def test_stale_says_since_when_and_why() -> None:
    """A later verification carries its value."""
    assert (Stale(START_MS).stale_at_ms, str(Stale(START_MS))) == (START_MS, "verified before the last change")


def test_caller_that_names_no_verification_is_never_stale(latchkey: TestApp) -> None:
    """Networks have nothing that was verified."""
    latchkey.set_counters("acc_1", FREE, stale_at=START_MS + 10**12)
    assert admit("acc_1", FREE).quota_left == 999
    assert START_MS * 1_000 < NEVER_STALE < 10**37, "DynamoDB keeps 38 digits"


def test_stale_is_told_from_the_mark_and_not_remembered_as_a_spent_limit(latchkey: TestApp) -> None:
    """After it has verified again, the caller is judged by the counters."""
    latchkey.set_counters("acc_1", FREE, used=1_000, stale_at=START_MS)
    with pytest.raises(Stale):
        admit("acc_1", FREE, verified_at_ms=START_MS - 1)
    latchkey.set_counters("acc_1", FREE, used=10)
    assert admit("acc_1", FREE, verified_at_ms=START_MS).quota_left == 989


def test_refusal_names_its_counter_whether_asked_or_remembered(latchkey: TestApp) -> None:
    """Whose requests were refused is written with the sum."""
    for tier, used, burst in ((FREE, 1_000, 0), (PRO, 0, 200)):
        latchkey.set_counters("acc_1", tier, used=used, burst=burst)
        for _ in range(3):
            with pytest.raises(Refused):
                admit("acc_1", tier, counter=KEY)
        held = rejection_counts.held(window_at("acc_1", tier, latchkey.clock.now_ms))
        assert held == rejection_counts.Sum(3, {"qAda0000": 3})


def test_refusal_from_memory_says_what_is_left_of_the_other_limit(latchkey: TestApp) -> None:
    """As it was when the limit was found spent."""
    for tier, used, burst in ((FREE, 1_000, 20), (PRO, 4_000, 200)):
        latchkey.set_counters("acc_1", tier, used=used, burst=burst)
        for _ in range(2):
            with pytest.raises(Refused) as refusal:
                admit("acc_1", tier)
            left = refusal.value.left
            assert (left.quota_left, left.burst_left) == ((0, 30) if tier is FREE else (6_000, 0))


def test_counters_beyond_the_thirtieth_are_counted_as_other_by_their_own_number(latchkey: TestApp) -> None:
    """Known ones keep their names."""
    names = {f"k{number:07}": 1 for number in range(30)}
    latchkey.set_counters("acc_1", FREE, used=30, **names)
    admit("acc_1", FREE)
    for counter in ("kNew0000", "k0000029", "kNew0001"):
        admit("acc_1", FREE, counter=counter)
    counters = latchkey.counters("acc_1")
    assert (counters[OTHER], counters["k0000029"], counters["used"]) == (2, 2, 34)


def test_write_without_sums_and_counter_carries_none(latchkey: TestApp) -> None:
    """Its expression is no longer than it must be."""
    bodies: list[dynamodb.Json] = []
    through = dynamodb.sender()

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        bodies.append(body)
        return through(operation, body)

    with dynamodb.sent_by(send):
        admit("acc_1", FREE)
        admit("acc_2", ENTERPRISE, counter=KEY)
    quota, endless = bodies
    assert quota["UpdateExpression"] == "SET dies_at = :dies_at ADD used :used, #slot :size"
    assert quota["ExpressionAttributeNames"] == {"#slot": "s0"}
    values = {name: value["N"] for name, value in quota["ExpressionAttributeValues"].items()}
    assert values == {
        ":size": "1",
        ":used": "1",
        ":below": "50",
        ":quota": "1000",
        ":verified_at": str(NEVER_STALE),
        ":dies_at": str(START_MS // 1000 + 31 * 86_400),
    }
    assert endless["UpdateExpression"] == "SET dies_at = :dies_at ADD used :used, #slot :size, #counter :used"
    assert ":quota" not in endless["ExpressionAttributeValues"]


def test_write_takes_away_what_is_past_and_what_is_too_much(latchkey: TestApp) -> None:
    """In one clause: burst windows by their names, all else by a placeholder."""
    latchkey.clock.forward(60)
    here = window_at("acc_1", FREE, latchkey.clock.now_ms)
    networks = {f"n{number:08}": {"S": KEY} for number in range(recorded_usage.NETWORKS_MAX + 2)}
    local_cache.note(here, networks | {"s1": {"N": "1"}, "s60": {"N": "1"}, "s2": {"N": "1"}})
    bodies: list[dynamodb.Json] = []

    def send(_operation: str, body: dynamodb.Json) -> dynamodb.Json:
        bodies.append(body)
        return {"Attributes": {}}

    with dynamodb.sent_by(send):
        admit("acc_1", FREE)
    (body,) = bodies
    assert body["UpdateExpression"].endswith(", n_other :n_other REMOVE s1, s2, #x0, #x1")
    assert body["ExpressionAttributeNames"] == {"#slot": "s60", "#x0": "n00000008", "#x1": "n00000009"}


def lease_of_ten(latchkey: TestApp, rate: int = 100) -> None:
    """Let the next second begin with a rate that brings leases of ten, or of a tenth of another one."""
    latchkey.clock.forward(60)
    for _ in range(rate):
        leases.taken(window_at("acc_1", ENDLESS, latchkey.clock.now_ms), KEY, NEVER_STALE, leases.ONE, 0)
    latchkey.clock.forward(1)


def test_lease_counts_ten_and_answers_as_one(latchkey: TestApp) -> None:
    """The next nine come from memory and count down by one each."""
    lease_of_ten(latchkey)
    with telemetry.calls_watched() as calls:
        left = [admit("acc_1", ENDLESS, counter=KEY) for _ in range(10)]
    assert [each.burst_left for each in left] == list(range(99, 89, -1))
    assert [each.crossed for each in left] == [()] * 10
    assert len(calls.made) == 1
    assert latchkey.counters("acc_1", ENDLESS) | {"dies_at": 0} == {"used": 10, "s61": 10, KEY: 10, "dies_at": 0}


def test_lease_is_not_spent_on_what_the_item_has_not_seen(latchkey: TestApp) -> None:
    """A new network or route is written at once."""
    lease_of_ten(latchkey)
    admit("acc_1", ENDLESS, counter=KEY)
    shown = recorded_usage.Traits(route="rAAA")
    with telemetry.calls_watched() as calls:
        admit("acc_1", ENDLESS, counter=KEY, shown=shown)
        assert len(calls.made) == 1
        admit("acc_1", ENDLESS, counter=KEY, shown=shown)
        assert len(calls.made) == 1


@pytest.mark.parametrize(("burst_used", "outcome"), [(70, 29), (71, 28), (99, 0), (100, "burst")])
def test_lease_without_room_is_one_admission_while_there_is_one(
    latchkey: TestApp, burst_used: int, outcome: int | str
) -> None:
    """The last of the burst is given to one request; what came before from elsewhere counts."""
    lease_of_ten(latchkey)
    latchkey.set_counters("acc_1", ENDLESS, burst=burst_used)
    answer = asked(ENDLESS, counter=KEY)
    assert outcome == (answer.limit if isinstance(answer, Refused) else answer.burst_left)
    taken = latchkey.counters("acc_1", ENDLESS)["s61"] - burst_used
    assert taken == {70: 10, 71: 1, 99: 1, 100: 0}[burst_used]


def test_smallest_lease_without_room_is_one_admission_too(latchkey: TestApp) -> None:
    """It was for two."""
    lease_of_ten(latchkey, rate=20)
    latchkey.set_counters("acc_1", ENDLESS, burst=85)
    with telemetry.calls_watched() as calls:
        assert admit("acc_1", ENDLESS, counter=KEY).burst_left == 14
    assert len(calls.made) == 2


@pytest.mark.parametrize(("mark_ms", "is_stale"), [(START_MS, False), (START_MS + 1, True)])
def test_lease_without_room_is_not_asked_for_again_by_who_is_stale(
    latchkey: TestApp, mark_ms: int, is_stale: bool
) -> None:
    """One call says so, and the mark goes before the burst."""
    lease_of_ten(latchkey)
    latchkey.set_counters("acc_1", ENDLESS, burst=95, stale_at=mark_ms)
    with telemetry.calls_watched() as calls:
        if is_stale:
            with pytest.raises(Stale):
                admit("acc_1", ENDLESS, counter=KEY, verified_at_ms=START_MS)
        else:
            assert admit("acc_1", ENDLESS, counter=KEY, verified_at_ms=START_MS).burst_left == 4
    assert len(calls.made) == (1 if is_stale else 2)


def test_what_a_lease_without_room_has_seen_is_remembered(latchkey: TestApp) -> None:
    """So the next one isn't tried in vain."""
    lease_of_ten(latchkey)
    latchkey.set_counters("acc_1", ENDLESS, burst=75, used=400)
    admit("acc_1", ENDLESS, counter=KEY)
    assert local_cache.of(window_at("acc_1", ENDLESS, latchkey.clock.now_ms)).used == 401
    with telemetry.calls_watched() as calls:
        admit("acc_1", ENDLESS, counter=KEY)
    assert len(calls.made) == 1
