"""The DynamoDB write of an admission: its expression, and the interpretation of the response."""

import pytest

from chalicelib.core import telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import leases, local_cache, recorded_usage, rejection_counts
from chalicelib.limits.admission import NEVER_STALE, Rejected, Stale, admit
from chalicelib.limits.counter_items import OTHER, window_at
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import ENTERPRISE, FREE, PRO, Tier
from tests.support.harness import START_MS, TestApp

KEY = "kAda0000"
ENDLESS = Tier("enterprise", None, 100)


def try_admit(tier: Tier, counter: str | None = None) -> Allowance | Rejected:
    """Send a request and return the remaining quota and burst, or the rejection."""
    try:
        return admit("acc_1", tier, counter=counter)
    except Rejected as rejection:
        return rejection


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
def test_last_admission_is_granted_and_the_next_rejected(
    latchkey: TestApp, quota: int | None, used: int, burst: int, burst_used: int, limit: str | None
) -> None:
    """The last request within a limit is admitted and the next rejected without counting; both responses report both
    limits.
    """
    tier = Tier("free", quota, burst)
    latchkey.set_counters("acc_1", tier, used=used, burst=burst_used)
    response = try_admit(tier)
    if isinstance(response, Rejected):
        assert response.limit == limit
        assert response.left.quota_left == max(0, (quota or 0) - used)
        assert response.left.burst_left == max(0, burst - burst_used)
        assert response.retry_after_s == (3_600 if limit == "quota" else 1)
        assert latchkey.counters("acc_1", tier)["used"] == used
    else:
        assert limit is None
        assert (response.quota_left, response.burst_left) == (0, 0)
        assert latchkey.counters("acc_1", tier)["used"] == used + 1


def test_stale_carries_its_mark() -> None:
    """The exception contains the time of the invalidation mark."""
    assert (Stale(START_MS).stale_at_ms, str(Stale(START_MS))) == (START_MS, "verified before the last change")


def test_caller_without_verification_is_never_stale(latchkey: TestApp) -> None:
    """An invalidation mark doesn't affect an anonymous caller, because that caller was never verified."""
    latchkey.set_counters("acc_1", FREE, stale_at=START_MS + 10**12)
    assert admit("acc_1", FREE).quota_left == 999
    assert START_MS * 1_000 < NEVER_STALE < 10**37, "DynamoDB keeps 38 digits"


def test_stale_caller_is_not_cached_as_rejected(latchkey: TestApp) -> None:
    """A request that is rejected because of an invalidation mark isn't cached as over the limit. After a new
    verification the counters decide.
    """
    latchkey.set_counters("acc_1", FREE, used=1_000, stale_at=START_MS)
    with pytest.raises(Stale):
        admit("acc_1", FREE, verified_at_ms=START_MS - 1)
    latchkey.set_counters("acc_1", FREE, used=10)
    assert admit("acc_1", FREE, verified_at_ms=START_MS).quota_left == 989


def test_rejection_records_its_counter(latchkey: TestApp) -> None:
    """A rejection by the database or by the cache is counted for the credential."""
    for tier, used, burst in ((FREE, 1_000, 0), (PRO, 0, 200)):
        latchkey.set_counters("acc_1", tier, used=used, burst=burst)
        for _ in range(3):
            with pytest.raises(Rejected):
                admit("acc_1", tier, counter=KEY)
        held = rejection_counts.pending(window_at("acc_1", tier, latchkey.clock.now_ms))
        assert held == rejection_counts.Counts(3, {"qAda0000": 3})


def test_cached_rejection_reports_the_other_limit(latchkey: TestApp) -> None:
    """A rejection from the cache reports the rest of both limits, as the first rejection by the database did."""
    for tier, used, burst in ((FREE, 1_000, 20), (PRO, 4_000, 200)):
        latchkey.set_counters("acc_1", tier, used=used, burst=burst)
        for _ in range(2):
            with pytest.raises(Rejected) as rejection:
                admit("acc_1", tier)
            left = rejection.value.left
            assert (left.quota_left, left.burst_left) == ((0, 30) if tier is FREE else (6_000, 0))


def test_counters_beyond_thirty_add_up_in_other(latchkey: TestApp) -> None:
    """Requests of new counters beyond the thirtieth are added up in `other`. A counter that is already named keeps its
    name.
    """
    names = {f"k{number:07}": 1 for number in range(30)}
    latchkey.set_counters("acc_1", FREE, used=30, **names)
    admit("acc_1", FREE)
    for counter in ("kNew0000", "k0000029", "kNew0001"):
        admit("acc_1", FREE, counter=counter)
    counters = latchkey.counters("acc_1")
    assert (counters[OTHER], counters["k0000029"], counters["used"]) == (2, 2, 34)


def test_write_without_counts_and_counter_is_minimal(latchkey: TestApp) -> None:
    """The update expression has no clause that the request doesn't need."""
    bodies: list[dynamodb.Json] = []
    through = dynamodb.sender()

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        bodies.append(body)
        return through(operation, body)

    with dynamodb.use_sender(send):
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


def test_write_removes_past_windows_and_overflow(latchkey: TestApp) -> None:
    """The REMOVE clause names past burst windows directly, and all other attributes by placeholders."""
    latchkey.clock.forward(60)
    here = window_at("acc_1", FREE, latchkey.clock.now_ms)
    networks = {f"n{number:08}": {"S": KEY} for number in range(recorded_usage.NETWORKS_MAX + 2)}
    local_cache.store(here, networks | {"s1": {"N": "1"}, "s60": {"N": "1"}, "s2": {"N": "1"}})
    bodies: list[dynamodb.Json] = []

    def send(_operation: str, body: dynamodb.Json) -> dynamodb.Json:
        bodies.append(body)
        return {"Attributes": {}}

    with dynamodb.use_sender(send):
        admit("acc_1", FREE)
    (body,) = bodies
    assert body["UpdateExpression"].endswith(", n_other :n_other REMOVE s1, s2, #x0, #x1")
    assert body["ExpressionAttributeNames"] == {"#slot": "s60", "#x0": "n00000008", "#x1": "n00000009"}


def raise_rate(latchkey: TestApp, rate: int = 100) -> None:
    """Set the rate so that leases in the next second reserve a tenth of `rate` admissions: ten by default."""
    latchkey.clock.forward(60)
    for _ in range(rate):
        leases.record(window_at("acc_1", ENDLESS, latchkey.clock.now_ms), KEY, NEVER_STALE, leases.SINGLE, 0)
    latchkey.clock.forward(1)


def test_lease_counts_ten_and_reports_one(latchkey: TestApp) -> None:
    """The write reserves ten admissions; the next nine requests need no call, and the remaining burst decreases by one
    each.
    """
    raise_rate(latchkey)
    with telemetry.record_calls() as calls:
        left = [admit("acc_1", ENDLESS, counter=KEY) for _ in range(10)]
    assert [each.burst_left for each in left] == list(range(99, 89, -1))
    assert [each.crossed for each in left] == [()] * 10
    assert len(calls.made) == 1
    assert latchkey.counters("acc_1", ENDLESS) | {"dies_at": 0} == {"used": 10, "s61": 10, KEY: 10, "dies_at": 0}


def test_lease_is_not_spent_on_new_usage(latchkey: TestApp) -> None:
    """A request from a new network or route is written immediately, not admitted from the lease."""
    raise_rate(latchkey)
    admit("acc_1", ENDLESS, counter=KEY)
    shown = recorded_usage.RequestUsage(route="rAAA")
    with telemetry.record_calls() as calls:
        admit("acc_1", ENDLESS, counter=KEY, shown=shown)
        assert len(calls.made) == 1
        admit("acc_1", ENDLESS, counter=KEY, shown=shown)
        assert len(calls.made) == 1


@pytest.mark.parametrize(("burst_used", "outcome"), [(70, 29), (71, 28), (99, 0), (100, "burst")])
def test_lease_without_room_falls_back_to_one_admission(latchkey: TestApp, burst_used: int, outcome: int | str) -> None:
    """A single request is admitted if the burst, which all functions share, has no room for a whole lease."""
    raise_rate(latchkey)
    latchkey.set_counters("acc_1", ENDLESS, burst=burst_used)
    response = try_admit(ENDLESS, counter=KEY)
    assert outcome == (response.limit if isinstance(response, Rejected) else response.burst_left)
    taken = latchkey.counters("acc_1", ENDLESS)["s61"] - burst_used
    assert taken == {70: 10, 71: 1, 99: 1, 100: 0}[burst_used]


def test_smallest_lease_without_room_falls_back_to_one_admission(latchkey: TestApp) -> None:
    """If the burst has no room for the smallest lease, which has two admissions, a single request is admitted."""
    raise_rate(latchkey, rate=20)
    latchkey.set_counters("acc_1", ENDLESS, burst=85)
    with telemetry.record_calls() as calls:
        assert admit("acc_1", ENDLESS, counter=KEY).burst_left == 14
    assert len(calls.made) == 2


@pytest.mark.parametrize(("mark_ms", "is_stale"), [(START_MS, False), (START_MS + 1, True)])
def test_stale_caller_does_not_retry_a_lease_without_room(latchkey: TestApp, mark_ms: int, is_stale: bool) -> None:
    """If the caller was verified before a change, the write of the lease reports this, and no single admission is
    tried.
    """
    raise_rate(latchkey)
    latchkey.set_counters("acc_1", ENDLESS, burst=95, stale_at=mark_ms)
    with telemetry.record_calls() as calls:
        if is_stale:
            with pytest.raises(Stale):
                admit("acc_1", ENDLESS, counter=KEY, verified_at_ms=START_MS)
        else:
            assert admit("acc_1", ENDLESS, counter=KEY, verified_at_ms=START_MS).burst_left == 4
    assert len(calls.made) == (1 if is_stale else 2)


def test_item_of_a_lease_without_room_is_cached(latchkey: TestApp) -> None:
    """If the burst has no room for a lease, the counter item is cached, so the next request doesn't try to reserve a
    lease.
    """
    raise_rate(latchkey)
    latchkey.set_counters("acc_1", ENDLESS, burst=75, used=400)
    admit("acc_1", ENDLESS, counter=KEY)
    assert local_cache.lookup(window_at("acc_1", ENDLESS, latchkey.clock.now_ms)).used == 401
    with telemetry.record_calls() as calls:
        admit("acc_1", ENDLESS, counter=KEY)
    assert len(calls.made) == 1
