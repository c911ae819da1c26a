"""Whose turn it is: nobody waits for somebody else's receiver, and no event overtakes another."""

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
from tests.webhooks.told import as_it_stands, delivery, endpoint_of, happens, images, streamed

DEAD = "http://127.0.0.1:9/"
RENAMED = [kinds.ACCOUNT_RENAMED]
SWEEP_MS = 45_000


class ClockOfEach(Clock):
    """A clock that one thread moves for itself alone; whoever waits for several goes on at the latest one's time."""

    def __init__(self, now_ms: int) -> None:
        """Begin with the thread that makes it, which waits for all others."""
        super().__init__(now_ms)
        self.waits, self.own, self.latest_ms = threading.current_thread(), threading.local(), now_ms

    def __call__(self) -> int:
        if threading.current_thread() is not self.waits:
            return getattr(self.own, "now_ms", self.now_ms)
        self.now_ms = max(self.now_ms, self.latest_ms)
        return self.now_ms

    def forward(self, seconds: float) -> None:
        """Move on."""
        now_ms = self() + round(seconds * 1000)
        if threading.current_thread() is self.waits:
            self.now_ms = now_ms
        else:
            self.own.now_ms = now_ms
            self.latest_ms = max(self.latest_ms, now_ms)


class Sent:
    """Stands where messages leave: what was sent where, and how long each takes to be answered there."""

    def __init__(self, latchkey: TestApp) -> None:
        """Take a moment at first; DEAD never answers."""
        self.latchkey, self.took_s = latchkey, 0.005
        self.messages: list[tuple[Endpoint, str]] = []
        self.before: Callable[[], None] = lambda: None

    def send(self, endpoint: Endpoint, message: Delivery, _resolver: ssrf_rule.Resolve = ssrf_rule.resolve) -> Outcome:
        """Send nothing, and say what would have come of it."""
        self.messages.append((endpoint, message.id))
        self.before()
        at_ms = clock.now_ms()
        is_dead = endpoint.url == DEAD
        took_s = send_delivery.DEADLINE_S if is_dead else self.took_s
        self.latchkey.clock.forward(took_s)
        return Outcome(at_ms, round(took_s * 1000), None if is_dead else 200, problem="Nobody." if is_dead else None)

    def to(self, endpoint: Endpoint) -> list[str]:
        """Return what was sent to an endpoint."""
        return [message_id for each, message_id in self.messages if each.id == endpoint.id]


@pytest.fixture
def sent(local: TestApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """What is sent, with two threads, one for those who answer well, in place of sixteen of each."""
    local.clock = ClockOfEach(local.clock.now_ms)
    made = Sent(local)
    monkeypatch.setattr(send_delivery, "send", made.send)
    monkeypatch.setattr(deliver, "CONCURRENT_ENDPOINTS_MAX", 1)
    with clock.driven_by(local.clock):
        yield made


def dead_ones(account: Account, number: int) -> list[Endpoint]:
    """Return so many endpoints of an account at which nobody answers."""
    return [endpoints.create(account.id, url=DEAD, name="Down", types=RENAMED) for _ in range(number)]


def put(account: Account) -> None:
    """Put what happened to an account on its way, and send nothing."""
    fan_out.put(Event.from_raw_data(image) for image in images(account.id))


def waits(latchkey: TestApp, account: Account, number: int) -> list[str]:
    """Let so much happen to an account and put it on its way; return the ids of the events."""
    happened = [happens(latchkey, account, f"Ada {each}") for each in range(number)]
    put(account)
    return happened


def waits_at(latchkey: TestApp, receiver: Receiver) -> tuple[Endpoint, str]:
    """Let one event wait for somebody else, at an endpoint that answers well; return both."""
    bob = latchkey.account(name="Bob")
    endpoint = endpoint_of(bob, receiver)
    (event_id,) = waits(latchkey, bob, 1)
    return endpoint, event_id


def swept(latchkey: TestApp, minutes: int) -> None:
    """Let a sweep begin every minute, whether or not the one before has ended."""
    began_ms = clock.now_ms()
    for minute in range(1, minutes + 1):
        latchkey.clock.now_ms = max(began_ms + minute * 60_000, clock.now_ms())
        deliver.sweep(clock.now_ms() + SWEEP_MS)


def test_endpoints_where_nobody_answers_keep_nobody_else_waiting(
    local: TestApp, sent: Sent, receiver: Receiver
) -> None:
    """Each is tried, and then left alone for longer and longer."""
    ada, bob = local.account(), local.account()
    dead = dead_ones(ada, 8)
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


def test_slow_endpoint_with_much_before_it_keeps_nobody_else_waiting(
    local: TestApp, sent: Sent, receiver: Receiver
) -> None:
    """Those who answer well have threads of their own."""
    ada = local.account()
    slow = endpoint_of(ada, receiver)
    Endpoint(ada.id, slow.id).update(actions=[Endpoint.slow.set(True)])
    waits(local, ada, 60)
    good, event_id = waits_at(local, receiver)
    sent.took_s = 5
    swept(local, 1)
    assert delivery(good, event_id).state == DELIVERED


def test_endpoints_that_take_their_time_keep_nobody_else_waiting(
    local: TestApp, sent: Sent, receiver: Receiver
) -> None:
    """Though they answer well: nobody's turn takes all of a sweep while others wait."""
    ada = local.account()
    for _ in range(8):
        endpoint_of(ada, receiver)
    waits(local, ada, 40)
    good, event_id = waits_at(local, receiver)
    sent.took_s = 1.9
    swept(local, 1)
    assert len({endpoint.id for endpoint, _ in sent.messages}) >= SWEEP_MS // deliver.SLOT_MS
    # Whose turn comes when is decided by lot.
    for _ in range(15):
        swept(local, 1)
        if delivery(good, event_id).state == DELIVERED:
            break
    assert delivery(good, event_id).state == DELIVERED


def test_more_than_can_be_read_for_one_endpoint_hides_nobody_else(
    local: TestApp, sent: Sent, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither from the sweep, which begins at the other end every second minute, nor from how late we are."""
    monkeypatch.setattr(fan_out, "LANES", ("0",))
    monkeypatch.setattr(delivery_queue, "LANES", ("0",))
    ada, bob = local.account(), local.account()
    dead_ones(ada, 1)
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


def test_account_with_a_dead_receiver_does_not_make_us_late(local: TestApp, sent: Sent) -> None:
    """The status page tells of what is our own."""
    ada = local.account()
    dead_ones(ada, 1)
    for number in range(40):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    late = []
    for _ in range(10):
        local.clock.forward(60)
        late.append(delivery_queue.oldest_due_ms(clock.now_ms()))
        deliver.sweep(clock.now_ms() + SWEEP_MS)
    assert late == [None] * 10


def test_no_event_overtakes_another_while_nothing_fails(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """What the stream brings while something older waits is left to the sweep, until it has caught up."""
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


def test_what_comes_while_another_function_sends_is_left_to_the_sweep(
    local: TestApp, sent: Sent, receiver: Receiver
) -> None:
    """And so is what comes after that."""
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
def test_change_of_an_endpoint_is_heeded_by_what_is_under_way(
    local: TestApp, sent: Sent, receiver: Receiver, how: str
) -> None:
    """From the next message on."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    for number in range(5):
        happens(local, ada, f"Ada {number}")

    def change() -> None:
        sent.before = lambda: None
        if how == "disabled":
            endpoints.disable(as_it_stands(endpoint), states.BY_ACCOUNT)
        elif how == "deleted":
            endpoints.delete(as_it_stands(endpoint))
        else:
            endpoints.change(as_it_stands(endpoint), url="http://127.0.0.1:1/new", name=None, types=None)

    sent.before = change
    streamed(ada)
    assert [each.url for each, _ in sent.messages].count(receiver.url) == 1
    assert len(sent.messages) == (5 if how == "elsewhere" else 1)


def test_what_waited_while_disabled_is_not_sent_by_itself(local: TestApp, receiver: Receiver) -> None:
    """Whenever it was to be tried again; by hand it can be sent, and then it is tried again like any other."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    receiver.says = [503, 200]
    event_id = happens(local, ada)
    streamed(ada)
    endpoints.disable(as_it_stands(endpoint), states.BY_ACCOUNT)
    local.clock.forward(5)
    background.every_minute()
    endpoints.enable(as_it_stands(endpoint))
    local.clock.forward(120)
    background.every_minute()
    assert receiver.ids == [event_id]
    assert delivery(endpoint, event_id).state == FAILED
    receiver.says = [503, 200]
    deliver.resend(as_it_stands(endpoint), event_id)
    local.clock.forward(120)
    background.every_minute()
    assert receiver.ids == [event_id] * 3
    assert delivery(endpoint, event_id).state == DELIVERED


def test_what_is_asked_for_by_hand_is_dropped_by_nobody_who_decided_before(
    local: TestApp, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enabled and asked for again while a sweep was dropping what waited, it is tried again after a failure."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    waits = [happens(local, ada, f"Ada {number}") for number in range(3)]
    put(ada)
    endpoints.disable(as_it_stands(endpoint), states.BY_ACCOUNT)
    receiver.says = [503, 204]
    drop = record_result.drop

    def meanwhile(endpoint_id: str, message_id: str, decided_at_ms: int) -> None:
        monkeypatch.setattr(deliver, "drop", drop)
        local.clock.forward(1)
        endpoints.enable(as_it_stands(endpoint))
        deliver.resend(as_it_stands(endpoint), waits[-1])
        drop(endpoint_id, message_id, decided_at_ms)

    monkeypatch.setattr(deliver, "drop", meanwhile)
    deliver.sweep(clock.now_ms() + SWEEP_MS)
    assert [delivery(endpoint, each).state for each in waits] == [FAILED, FAILED, PENDING]


def test_answer_of_an_old_url_disables_no_new_one(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """It was under way when the URL was changed."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    endpoints.change(as_it_stands(endpoint), url="http://127.0.0.1:1/new", name=None, types=None)
    endpoints.disable(endpoint, states.GONE)
    assert as_it_stands(endpoint).status == ENABLED


def test_what_waits_for_a_disabled_endpoint_is_dropped_at_once(local: TestApp, receiver: Receiver) -> None:
    """However much it is: it makes nobody late."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    for number in range(60):
        happens(local, ada, f"Ada {number}")
    put(ada)
    endpoints.disable(as_it_stands(endpoint), states.BY_ACCOUNT)
    background.every_minute()
    assert {each.state for each in Delivery.query(endpoint.id)} == {FAILED}


def test_other_types_bring_nothing_from_before(local: TestApp, receiver: Receiver) -> None:
    """The hourly look doesn't take for lost what nobody asked for then."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver, [kinds.KEY_CREATED])
    for number in range(3):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    local.clock.forward(60)
    endpoints.change(as_it_stands(endpoint), url=None, name=None, types=[])
    background.every_hour()
    background.every_minute()
    told = {event.type for event in record.newest_first(ada.id, 99) if event.id in receiver.ids}
    assert told <= {kinds.WEBHOOK_CHANGED}


def test_one_message_at_a_time_is_sent_by_hand(local: TestApp, receiver: Receiver) -> None:
    """Whoever asks for more is told so at once, and holds no function."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    streamed(ada)
    receiver.waits.clear()
    testing = threading.Thread(target=deliver.send_test, args=(as_it_stands(endpoint),))
    testing.start()
    while len(receiver.received) < 2:
        clock.pause(0.01)
    with pytest.raises(errors.Conflict, match="Try again in a few seconds"):
        deliver.send_test(as_it_stands(endpoint))
    with pytest.raises(errors.Conflict, match="Try again in a few seconds"):
        deliver.resend(as_it_stands(endpoint), event_id)
    receiver.waits.set()
    testing.join()
    assert deliver.send_test(as_it_stands(endpoint)).state == DELIVERED


def test_nobody_in_person_disables_what_is_gone(local: TestApp, receiver: Receiver) -> None:
    """The event names Latchkey, which did it by itself."""
    ada = local.account()
    endpoint_of(ada, receiver)
    receiver.says = [410]
    happens(local, ada)
    streamed(ada)
    (told,) = (event for event in record.newest_first(ada.id, 9) if event.type == kinds.WEBHOOK_DISABLED)
    assert told.actor == "latchkey"


def test_hourly_look_for_what_was_lost_ends_in_time(local: TestApp, receiver: Receiver) -> None:
    """And says that it left something out."""
    ada = local.account()
    endpoint_of(ada, receiver)
    happens(local, ada)
    assert fan_out.put_what_is_missing(clock.now_ms(), clock.now_ms()) == 0
    assert fan_out.put_what_is_missing(clock.now_ms(), clock.now_ms() + 1) == 1


def test_what_was_lost_two_days_ago_is_found_within_a_day(local: TestApp, receiver: Receiver) -> None:
    """Most hours look three hours back, one of the day three days."""
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
def test_nothing_starts_that_could_not_end_within_the_turn(
    local: TestApp, sent: Sent, receiver: Receiver, took_s: float
) -> None:
    """However long the function may go on: a minute after the turn was taken another function may send."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    waits(local, ada, 70)
    began: list[int] = []
    sent.took_s, taken_ms = took_s, clock.now_ms()
    sent.before = lambda: began.append(clock.now_ms() - taken_ms)
    deliver.send_all({(ada.id, endpoint.id): sorted(each.id for each in Delivery.query(endpoint.id))}, 2**53)
    assert max(began) < endpoint_lock.LOCK_MS - send_delivery.DEADLINE_S * 1000 <= max(began) + took_s * 1000


def test_nothing_starts_once_the_function_must_end(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """However much of the turn is left; the rest is left to the sweep."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    waits(local, ada, 10)
    began: list[int] = []
    sent.took_s, until_ms = 2, clock.now_ms() + 5_000
    sent.before = lambda: began.append(clock.now_ms() - until_ms)
    deliver.send_all({(ada.id, endpoint.id): sorted(each.id for each in Delivery.query(endpoint.id))}, until_ms)
    assert began == [-5_000, -3_000, -1_000]
    assert as_it_stands(endpoint).behind_since == clock.now_ms()


def test_turn_lasts_a_minute_whoever_takes_it(local: TestApp, receiver: Receiver) -> None:
    """A function that died holds an endpoint no longer, and one that lives is sure of all of it."""
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
    assert as_it_stands(endpoint).busy_until is None


def test_endpoint_fails_since_its_first_failure_in_a_row(local: TestApp, receiver: Receiver) -> None:
    """Ten failures disable it a day after the first of them, not a moment sooner and not ten times a day later."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    message = fan_out.new(endpoint, ids.new("evt"), states.TEST, "{}", due_at=clock.now_ms())
    began_ms = clock.now_ms()
    for number in range(1, retry_schedule.FAILURES_MAX + 3):
        record_result.record_outcome(as_it_stands(endpoint), message, Outcome(clock.now_ms(), 5, 500))
        stands = as_it_stands(endpoint)
        assert (stands.failures, stands.failing_since) == (number, began_ms)
        assert stands.status == (ENABLED if number < retry_schedule.FAILURES_MAX + 2 else DISABLED)
        local.clock.forward(1)
        if number >= retry_schedule.FAILURES_MAX:
            local.clock.now_ms = (
                began_ms + retry_schedule.FAILING_FOR_MS - (1 if number == retry_schedule.FAILURES_MAX else 0)
            )
