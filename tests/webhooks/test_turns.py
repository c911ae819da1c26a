"""Fairness and order: no endpoint delays another, and no event overtakes another."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.api import background
from chalicelib.core import clock, errors, ids, ssrf_rule
from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.webhooks import (
    deliver,
    delivery_queue,
    endpoint_lock,
    endpoints,
    fan_out,
    record_result,
    retry_schedule,
    send_delivery,
    states,
)
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.states import DELIVERED, DISABLED, ENABLED, FAILED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import Clock, TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import delivery, endpoint_of, happens, images, reload, streamed

DEAD = "http://127.0.0.1:9/"
RENAMED = [kinds.ACCOUNT_RENAMED]
SWEEP_MS = 45_000


class ThreadClock(Clock):
    """A clock that each thread moves for itself; a thread that joins others continues at the latest time."""

    def __init__(self, now_ms: int) -> None:
        """Start with the current thread, which joins all others."""
        super().__init__(now_ms)
        self.waits, self.own, self.latest_ms = threading.current_thread(), threading.local(), now_ms

    def __call__(self) -> int:
        if threading.current_thread() is not self.waits:
            return getattr(self.own, "now_ms", self.now_ms)
        self.now_ms = max(self.now_ms, self.latest_ms)
        return self.now_ms

    def forward(self, seconds: float) -> None:
        """Move the clock of this thread."""
        now_ms = self() + round(seconds * 1000)
        if threading.current_thread() is self.waits:
            self.now_ms = now_ms
        else:
            self.own.now_ms = now_ms
            self.latest_ms = max(self.latest_ms, now_ms)


class Sent:
    """Replaces attempts: records messages by endpoint, with a configured duration for each."""

    def __init__(self, latchkey: TestApp) -> None:
        """Respond within a moment by default; DEAD never responds."""
        self.latchkey, self.took_s = latchkey, 0.005
        self.messages: list[tuple[Endpoint, str]] = []
        self.before: Callable[[], None] = lambda: None

    def send(self, endpoint: Endpoint, message: Delivery, _resolver: ssrf_rule.Resolve = ssrf_rule.resolve) -> Outcome:
        """Record a message and return its outcome without sending it."""
        self.messages.append((endpoint, message.id))
        self.before()
        at_ms = clock.now_ms()
        is_dead = endpoint.url == DEAD
        took_s = send_delivery.DEADLINE_S if is_dead else self.took_s
        self.latchkey.clock.forward(took_s)
        return Outcome(at_ms, round(took_s * 1000), None if is_dead else 200, problem="Nobody." if is_dead else None)

    def to(self, endpoint: Endpoint) -> list[str]:
        """Return the messages sent to an endpoint."""
        return [message_id for each, message_id in self.messages if each.id == endpoint.id]


@pytest.fixture
def sent(local: TestApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """Replace attempts, with one thread for healthy endpoints and one for others instead of sixteen each."""
    local.clock = ThreadClock(local.clock.now_ms)
    made = Sent(local)
    monkeypatch.setattr(send_delivery, "send", made.send)
    monkeypatch.setattr(deliver, "CONCURRENT_ENDPOINTS_MAX", 1)
    with clock.driven_by(local.clock):
        yield made


def create_dead_endpoints(account: Account, number: int) -> list[Endpoint]:
    """Create endpoints of an account that are unreachable."""
    return [endpoints.create(account.id, url=DEAD, name="Down", types=RENAMED) for _ in range(number)]


def put(account: Account) -> None:
    """Create the deliveries of an account without sending them."""
    fan_out.put(Event.from_raw_data(image) for image in images(account.id))


def waits(latchkey: TestApp, account: Account, number: int) -> list[str]:
    """Record events and create their deliveries; return the ids of the events."""
    happened = [happens(latchkey, account, f"Ada {each}") for each in range(number)]
    put(account)
    return happened


def waits_at(latchkey: TestApp, receiver: Receiver) -> tuple[Endpoint, str]:
    """Create a delivery to a healthy endpoint of another account; return both."""
    bob = latchkey.account(name="Bob")
    endpoint = endpoint_of(bob, receiver)
    (event_id,) = waits(latchkey, bob, 1)
    return endpoint, event_id


def swept(latchkey: TestApp, minutes: int) -> None:
    """Start a sweep every minute, whether or not the previous one has ended."""
    began_ms = clock.now_ms()
    for minute in range(1, minutes + 1):
        latchkey.clock.now_ms = max(began_ms + minute * 60_000, clock.now_ms())
        deliver.sweep(clock.now_ms() + SWEEP_MS)


def test_unreachable_endpoints_do_not_delay_others(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """Each is tried, with a growing back-off."""
    ada, bob = local.account(), local.account()
    dead = create_dead_endpoints(ada, 8)
    for number in range(5):
        happens(local, ada, f"Ada {number}")
    put(ada)
    good = endpoint_of(bob, receiver)
    event_id = happens(local, bob)
    put(bob)
    swept(local, 5)
    assert delivery(good, event_id).state == DELIVERED
    assert all(sent.to(endpoint) for endpoint in dead)
    later = happens(local, bob)
    put(bob)
    swept(local, 1)
    assert delivery(good, later).state == DELIVERED
    swept(local, 30)
    tried = Counter(endpoint.id for endpoint, _ in sent.messages)
    assert max(tried[endpoint.id] for endpoint in dead) <= 10


def test_slow_endpoint_with_long_queue_does_not_delay_others(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """Healthy endpoints have threads of their own."""
    ada = local.account()
    slow = endpoint_of(ada, receiver)
    Endpoint(ada.id, slow.id).update(actions=[Endpoint.slow.set(True)])
    waits(local, ada, 60)
    good, event_id = waits_at(local, receiver)
    sent.took_s = 5
    swept(local, 1)
    assert delivery(good, event_id).state == DELIVERED


def test_long_queues_of_healthy_endpoints_do_not_delay_others(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """The time for each endpoint is limited while others need its thread."""
    ada = local.account()
    for _ in range(8):
        endpoint_of(ada, receiver)
    waits(local, ada, 40)
    good, event_id = waits_at(local, receiver)
    sent.took_s = 1.9
    swept(local, 1)
    assert len({endpoint.id for endpoint, _ in sent.messages}) >= SWEEP_MS // deliver.SLOT_MS
    # The order of endpoints is random.
    for _ in range(15):
        swept(local, 1)
        if delivery(good, event_id).state == DELIVERED:
            break
    assert delivery(good, event_id).state == DELIVERED


def test_backlog_beyond_read_limit_does_not_hide_others(
    local: TestApp, sent: Sent, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep reads from the other end every other minute, and lateness is measured all the same."""
    monkeypatch.setattr(fan_out, "LANES", ("0",))
    monkeypatch.setattr(delivery_queue, "LANES", ("0",))
    ada, bob = local.account(), local.account()
    create_dead_endpoints(ada, 1)
    good = endpoint_of(bob, receiver)
    for number in range(30):
        happens(local, ada, f"Ada {number}")
    put(ada)
    swept(local, 1)
    event_id = happens(local, bob)
    put(bob)
    local.clock.forward(60)
    assert delivery_queue.oldest_due_ms(clock.now_ms()) == 60_000
    query = Delivery.by_due.query

    def slowly(*arguments: Any, **named: Any) -> Iterator[Delivery]:
        for each in query(*arguments, **named):
            local.clock.forward(1)
            yield each

    monkeypatch.setattr(Delivery.by_due, "query", slowly)
    swept(local, 2)
    assert delivery(good, event_id).state == DELIVERED


def test_dead_receiver_does_not_count_as_late(local: TestApp, sent: Sent) -> None:
    """The status page shows only delays of the service itself."""
    ada = local.account()
    create_dead_endpoints(ada, 1)
    for number in range(40):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    late = []
    for _ in range(10):
        local.clock.forward(60)
        late.append(delivery_queue.oldest_due_ms(clock.now_ms()))
        deliver.sweep(clock.now_ms() + SWEEP_MS)
    assert late == [None] * 10


def test_no_event_overtakes_another_without_failures(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """Events during a backlog are left to the sweep until the backlog is cleared."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    sent.took_s = 0.3
    happened = [happens(local, ada, f"Ada {number}") for number in range(30)]
    streamed(ada)
    happened.append(happens(local, ada, "Later"))
    streamed(ada)
    assert len(sent.messages) < 30
    swept(local, 2)
    assert sent.to(endpoint) == happened
    happened.append(happens(local, ada, "Last"))
    streamed(ada)
    assert sent.to(endpoint) == happened


def test_event_during_sending_is_left_to_sweep(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """Later events are left to it too."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    first = happens(local, ada, "Ada 1")
    held = endpoint_lock.acquire(ada.id, endpoint.id)
    assert held is not None
    streamed(ada)
    endpoint_lock.release(held)
    second = happens(local, ada, "Ada 2")
    streamed(ada)
    assert sent.messages == []
    swept(local, 1)
    assert sent.to(endpoint) == [first, second]


@pytest.mark.parametrize("how", ["disabled", "deleted", "elsewhere"])
def test_change_of_endpoint_applies_to_running_sweep(local: TestApp, sent: Sent, receiver: Receiver, how: str) -> None:
    """From the next message on."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    for number in range(5):
        happens(local, ada, f"Ada {number}")

    def change() -> None:
        sent.before = lambda: None
        if how == "disabled":
            endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
        elif how == "deleted":
            endpoints.delete(reload(endpoint))
        else:
            endpoints.change(reload(endpoint), url="http://127.0.0.1:1/new", name=None, types=None)

    sent.before = change
    streamed(ada)
    assert [each.url for each, _ in sent.messages].count(receiver.url) == 1
    assert len(sent.messages) == (5 if how == "elsewhere" else 1)


def test_delivery_pending_while_disabled_is_not_sent_automatically(local: TestApp, receiver: Receiver) -> None:
    """It can be resent manually, and is then retried like any other."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.says = [503, 200]
    event_id = happens(local, ada)
    streamed(ada)
    endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
    local.clock.forward(5)
    background.every_minute()
    endpoints.enable(reload(endpoint))
    local.clock.forward(120)
    background.every_minute()
    assert receiver.ids == [event_id]
    assert delivery(endpoint, event_id).state == FAILED
    receiver.says = [503, 200]
    deliver.resend(reload(endpoint), event_id)
    local.clock.forward(120)
    background.every_minute()
    assert receiver.ids == [event_id] * 3
    assert delivery(endpoint, event_id).state == DELIVERED


def test_manual_resend_survives_concurrent_drop(
    local: TestApp, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resend during the drop of a sweep is retried after a failure."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    waits = [happens(local, ada, f"Ada {number}") for number in range(3)]
    put(ada)
    endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
    receiver.says = [503, 204]
    drop = record_result.drop

    def meanwhile(endpoint_id: str, message_id: str, decided_at_ms: int) -> None:
        monkeypatch.setattr(deliver, "drop", drop)
        local.clock.forward(1)
        endpoints.enable(reload(endpoint))
        deliver.resend(reload(endpoint), waits[-1])
        drop(endpoint_id, message_id, decided_at_ms)

    monkeypatch.setattr(deliver, "drop", meanwhile)
    deliver.sweep(clock.now_ms() + SWEEP_MS)
    assert [delivery(endpoint, each).state for each in waits] == [FAILED, FAILED, PENDING]


def test_response_of_old_url_does_not_disable_new_url(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """The attempt was under way when the URL was changed."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    endpoints.change(reload(endpoint), url="http://127.0.0.1:1/new", name=None, types=None)
    endpoints.disable(endpoint, states.GONE)
    assert reload(endpoint).status == ENABLED


def test_deliveries_of_disabled_endpoint_are_dropped_in_one_sweep(local: TestApp, receiver: Receiver) -> None:
    """However many they are, they delay no one and do not count as late."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    for number in range(60):
        happens(local, ada, f"Ada {number}")
    put(ada)
    endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
    background.every_minute()
    assert {each.state for each in Delivery.query(endpoint.id)} == {FAILED}


def test_change_of_types_brings_no_earlier_events(local: TestApp, receiver: Receiver) -> None:
    """The hourly search does not take earlier events for lost."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver, [kinds.KEY_CREATED])
    for number in range(3):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    local.clock.forward(60)
    endpoints.change(reload(endpoint), url=None, name=None, types=[])
    background.every_hour()
    background.every_minute()
    told = {event.type for event in record.newest_first(ada.id, 99) if event.id in receiver.ids}
    assert told <= {kinds.WEBHOOK_CHANGED}


def test_concurrent_manual_sends_are_rejected(local: TestApp, receiver: Receiver) -> None:
    """A second request is rejected immediately and occupies no function."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    receiver.waits.clear()
    testing = threading.Thread(target=deliver.send_test, args=(reload(endpoint),))
    testing.start()
    while len(receiver.received) < 2:
        clock.pause(0.01)
    with pytest.raises(errors.Conflict, match="Try again in a few seconds"):
        deliver.send_test(reload(endpoint))
    with pytest.raises(errors.Conflict, match="Try again in a few seconds"):
        deliver.resend(reload(endpoint), event_id)
    receiver.waits.set()
    testing.join()
    assert deliver.send_test(reload(endpoint)).state == DELIVERED


def test_actor_of_disabling_after_410_is_the_service(local: TestApp, receiver: Receiver) -> None:
    """The event names Latchkey as the actor."""
    ada = local.account()
    endpoint_of(ada, receiver)
    receiver.says = [410]
    happens(local, ada)
    streamed(ada)
    (told,) = (event for event in record.newest_first(ada.id, 9) if event.type == kinds.WEBHOOK_DISABLED)
    assert told.actor == "latchkey"


def test_hourly_search_for_lost_events_ends_in_time(local: TestApp, receiver: Receiver) -> None:
    """An interruption is logged."""
    ada = local.account()
    endpoint_of(ada, receiver)
    happens(local, ada)
    assert fan_out.put_what_is_missing(clock.now_ms(), clock.now_ms()) == 0
    assert fan_out.put_what_is_missing(clock.now_ms(), clock.now_ms() + 1) == 1


def test_event_lost_two_days_ago_is_found_within_a_day(local: TestApp, receiver: Receiver) -> None:
    """One run a day searches three days, the others three hours."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    local.clock.forward(2 * clock.DAY_S)
    for _ in range(24):
        local.clock.forward(clock.HOUR_S)
        background.every_hour()
    background.every_minute()
    assert receiver.ids == [event_id]


@pytest.mark.parametrize("took_s", [1, 7, 14.999, 15])
def test_no_attempt_starts_that_could_outlast_lock(
    local: TestApp, sent: Sent, receiver: Receiver, took_s: float
) -> None:
    """Another function may send a minute after the lock was acquired."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    waits(local, ada, 70)
    began: list[int] = []
    sent.took_s, taken_ms = took_s, clock.now_ms()
    sent.before = lambda: began.append(clock.now_ms() - taken_ms)
    deliver.send_all({(ada.id, endpoint.id): sorted(each.id for each in Delivery.query(endpoint.id))}, 2**53)
    assert max(began) < endpoint_lock.LOCK_MS - send_delivery.DEADLINE_S * 1000 <= max(began) + took_s * 1000


def test_no_attempt_starts_after_time_limit_of_function(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """The rest is left to the sweep, however long the lock lasts."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    waits(local, ada, 10)
    began: list[int] = []
    sent.took_s, until_ms = 2, clock.now_ms() + 5_000
    sent.before = lambda: began.append(clock.now_ms() - until_ms)
    deliver.send_all({(ada.id, endpoint.id): sorted(each.id for each in Delivery.query(endpoint.id))}, until_ms)
    assert began == [-5_000, -3_000, -1_000]
    assert reload(endpoint).behind_since == clock.now_ms()


def test_lock_lasts_a_minute(local: TestApp, receiver: Receiver) -> None:
    """A crashed function does not hold it longer, and a running one has it for all that time."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    assert endpoint_lock.LOCK_MS == 60_000 > 2 * send_delivery.DEADLINE_S * 1000
    assert endpoint_lock.acquire(ada.id, endpoint.id) is not None
    local.clock.forward(59.999)
    assert endpoint_lock.acquire(ada.id, endpoint.id) is None
    with (
        pytest.raises(errors.Conflict, match="Try again in a few seconds"),
        endpoint_lock.hold_for_manual_send(endpoint),
    ):
        pass
    local.clock.forward(0.001)
    with endpoint_lock.hold_for_manual_send(endpoint) as taken:
        assert taken.busy_until == clock.now_ms() + 60_000
    assert reload(endpoint).busy_until is None


def test_failure_period_starts_with_first_consecutive_failure(local: TestApp, receiver: Receiver) -> None:
    """Ten failures disable the endpoint exactly a day after the first."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    message = fan_out.new(endpoint, ids.new("evt"), states.TEST, "{}", due_at=clock.now_ms())
    began_ms = clock.now_ms()
    for number in range(1, retry_schedule.FAILURES_MAX + 3):
        record_result.record_outcome(reload(endpoint), message, Outcome(clock.now_ms(), 5, 500))
        stands = reload(endpoint)
        assert (stands.failures, stands.failing_since) == (number, began_ms)
        assert stands.status == (ENABLED if number < retry_schedule.FAILURES_MAX + 2 else DISABLED)
        local.clock.forward(1)
        if number >= retry_schedule.FAILURES_MAX:
            local.clock.now_ms = (
                began_ms + retry_schedule.FAILING_FOR_MS - (1 if number == retry_schedule.FAILURES_MAX else 0)
            )
