"""Sending to one endpoint: what is claimed, what is left to the sweep, and what is dropped."""

import io
import json
from collections.abc import Callable

import pytest

from chalicelib.core import clock, ids, ssrf_rule, telemetry
from chalicelib.webhooks import deliver, delivery_queue, endpoint_lock, endpoints, fan_out, send_delivery, states
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.states import DELIVERED, FAILED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp
from tests.webhooks.told import as_it_stands, delivery

MINUTE_MS = 60_000
LATER_MS = 30_000


@pytest.fixture
def endpoint(latchkey: TestApp) -> Endpoint:
    """An endpoint that has never been sent to."""
    return endpoints.create(latchkey.account().id, url="https://example.com/hooks", name="Ledger", types=None)


class Sent:
    """Stands where messages leave: which were sent, and what is answered to each, 200 unless something else is set."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.ids: list[str] = []
        self.status: int | None = 200
        self.before: Callable[[], object] = lambda: None

    def send(self, _endpoint: Endpoint, sent: Delivery, _resolver: ssrf_rule.Resolve = ssrf_rule.resolve) -> Outcome:
        """Note a message, and return what came of it."""
        self.ids.append(sent.id)
        self.before()
        return Outcome(clock.now_ms(), 5, self.status)


@pytest.fixture
def sent(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Nothing leaves."""
    made = Sent()
    monkeypatch.setattr(send_delivery, "send", made.send)
    return made


def waits(endpoint: Endpoint, due_after_ms: int = 0) -> Delivery:
    """Let something wait for an endpoint."""
    made = fan_out.new(endpoint, ids.new("evt"), "key.created", "{}", due_at=clock.now_ms() + due_after_ms)
    made.save()
    return made


def send_all(endpoint: Endpoint, *waiting_there: Delivery, for_ms: int = LATER_MS) -> None:
    """Send what has just happened."""
    deliver.send_all(delivery_queue.group_by_endpoint(waiting_there), clock.now_ms() + for_ms)


def sweep() -> int:
    """Send what is due."""
    return deliver.sweep(clock.now_ms() + LATER_MS)


@pytest.mark.parametrize(("due_after_ms", "is_claimed"), [(-1, True), (0, True), (1, False)])
def test_message_is_claimed_for_a_minute_once_it_is_due(
    endpoint: Endpoint, due_after_ms: int, is_claimed: bool
) -> None:
    """By one; nor is it claimed once it is delivered."""
    there = waits(endpoint, due_after_ms)
    claimed = deliver._claimed(endpoint, there.id)
    assert (claimed is not None) is is_claimed
    if claimed is not None:
        until_ms = clock.now_ms() + MINUTE_MS
        assert (claimed.due_at, claimed.claimed_until, claimed.body) == (until_ms, until_ms, "{}")
        assert delivery(endpoint, there.id).due_at == until_ms
        assert deliver._claimed(endpoint, there.id) is None
    over = waits(endpoint)
    over.update(actions=[Delivery.state.set(DELIVERED)])
    assert deliver._claimed(endpoint, over.id) is None
    assert deliver._claimed(endpoint, "evt_unknown") is None
    assert Delivery.count(endpoint.id) == 2


@pytest.mark.parametrize(
    ("enabled_after_ms", "queued_after_ms", "is_sent"),
    [(0, None, True), (1, None, False), (1, 0, False), (1, 1, True), (1, 2, True), (-1, None, True)],
)
def test_message_from_before_the_endpoint_was_enabled_is_dropped_unless_it_was_asked_for_since(
    endpoint: Endpoint, sent: Sent, enabled_after_ms: int, queued_after_ms: int | None, is_sent: bool
) -> None:
    """By hand; and what happened in the very millisecond isn't from before."""
    there, now_ms = waits(endpoint), clock.now_ms()
    Endpoint(endpoint.account_id, endpoint.id).update(actions=[Endpoint.enabled_at.set(now_ms + enabled_after_ms)])
    if queued_after_ms is not None:
        there.update(actions=[Delivery.queued_at.set(now_ms + queued_after_ms)])
    send_all(endpoint, there)
    assert (sent.ids == [there.id]) is is_sent
    assert delivery(endpoint, there.id).state == (DELIVERED if is_sent else FAILED)


def test_messages_are_sent_in_order_whatever_order_they_were_read_in(endpoint: Endpoint, sent: Sent) -> None:
    """And what is due of all is counted; nothing is left, so the endpoint isn't behind, nor held."""
    first, second, third = (waits(endpoint) for _ in range(3))
    send_all(endpoint, second, first)
    assert sent.ids == [first.id, second.id]
    waits(endpoint, 1)
    assert sweep() == 1
    assert sent.ids == [first.id, second.id, third.id]
    stands = as_it_stands(endpoint)
    assert [stands.behind_since, stands.busy_until] == [None, None]


@pytest.mark.parametrize(("number", "is_behind"), [(1, False), (2, True)])
def test_endpoint_where_nobody_answers_is_behind_only_if_something_was_not_tried(
    endpoint: Endpoint, sent: Sent, number: int, is_behind: bool
) -> None:
    """One message tells enough of it."""
    there = [waits(endpoint) for _ in range(number)]
    sent.status = None
    send_all(endpoint, *there)
    assert sent.ids == [there[0].id]
    assert (as_it_stands(endpoint).behind_since is not None) is is_behind


def test_endpoint_that_wants_no_more_is_sent_no_more(endpoint: Endpoint, sent: Sent) -> None:
    """Nothing of it is left for the sweep to send; there it is dropped."""
    there = [waits(endpoint) for _ in range(3)]
    sent.status = 410
    send_all(endpoint, *there)
    assert sent.ids == [there[0].id]
    assert as_it_stands(endpoint).behind_since is None
    sweep()
    assert [delivery(endpoint, each.id).state for each in there[1:]] == [FAILED, FAILED]
    assert sent.ids == [there[0].id]


def test_message_that_another_has_claimed_keeps_no_later_one_from_being_sent(endpoint: Endpoint, sent: Sent) -> None:
    """It is passed over."""
    first, second = waits(endpoint, 1), waits(endpoint)
    send_all(endpoint, first, second)
    assert sent.ids == [second.id]


@pytest.mark.parametrize(
    ("for_ms", "busy_for_ms", "is_sent"),
    [(1, 15_001, True), (0, 60_000, False), (1, 15_000, False)],
)
def test_no_attempt_begins_that_could_not_end_in_time(
    endpoint: Endpoint, sent: Sent, for_ms: int, busy_for_ms: int, is_sent: bool
) -> None:
    """Before the function's end, and as long before the turn's as an attempt may take."""
    there = waits(endpoint)
    taken = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert taken is not None
    taken.update(actions=[Endpoint.busy_until.set(clock.now_ms() + busy_for_ms)])
    tried = deliver._try_all(taken, [there.id], clock.now_ms() + for_ms, ssrf_rule.resolve)
    assert (tried, bool(sent.ids)) == (is_sent, is_sent)


@pytest.mark.parametrize("why", ["disabled", "deleted"])
def test_what_waits_for_an_endpoint_that_gets_nothing_is_dropped_in_time(
    latchkey: TestApp, endpoint: Endpoint, sent: Sent, why: str
) -> None:
    """As much of it as can be; the next sweep drops the rest. The endpoint isn't behind of it."""
    there = [waits(endpoint) for _ in range(2)]
    if why == "disabled":
        endpoints.disable(endpoint, states.BY_ACCOUNT)
    else:
        endpoints.delete(endpoint)
    send_all(endpoint, *there, for_ms=0)
    assert [delivery(endpoint, each.id).state for each in there] == [PENDING, PENDING]
    latchkey.clock.forward(1)
    send_all(endpoint, *there, for_ms=1)
    assert [delivery(endpoint, each.id).state for each in there] == [FAILED, FAILED]
    assert sent.ids == []
    stands = Endpoint.found(endpoint.account_id, endpoint.id)
    assert stands is None or stands.behind_since is None


@pytest.mark.parametrize(("busy_after_ms", "is_behind"), [(1, True), (0, False)])
def test_endpoint_that_another_sends_to_is_behind_and_one_that_is_left_alone_is_not(
    endpoint: Endpoint, sent: Sent, busy_after_ms: int, is_behind: bool
) -> None:
    """Nothing is dropped, nor sent."""
    there, now_ms = waits(endpoint), clock.now_ms()
    left_alone, busy = Endpoint.quiet_until.set(now_ms + 1), Endpoint.busy_until.set(now_ms + busy_after_ms)
    Endpoint(endpoint.account_id, endpoint.id).update(actions=[left_alone, busy])
    send_all(endpoint, there)
    assert (sent.ids, delivery(endpoint, there.id).state) == ([], PENDING)
    assert (as_it_stands(endpoint).behind_since is not None) is is_behind


@pytest.mark.parametrize(("ago_ms", "is_sent"), [(300_000, True), (300_001, False)])
def test_sweep_looks_again_for_what_the_index_did_not_show_it_of_the_last_five_minutes(
    latchkey: TestApp, endpoint: Endpoint, sent: Sent, ago_ms: int, is_sent: bool
) -> None:
    """What is older would have been shown; what was tried before, or isn't due yet, is left."""
    unseen = waits(endpoint)
    unseen.update(actions=[Delivery.lane.remove()])
    latchkey.clock.forward(ago_ms / 1000)
    tried, later, seen = waits(endpoint), waits(endpoint, 1), waits(endpoint)
    tried.update(actions=[Delivery.tries.set(1), Delivery.lane.remove()])
    later.update(actions=[Delivery.lane.remove()])
    endpoint_lock.fall_behind(endpoint)
    assert sweep() == 1
    assert sent.ids == ([seen.id, unseen.id] if is_sent else [seen.id])
    assert as_it_stands(endpoint).behind_since is None


def test_endpoint_that_fell_behind_while_it_was_sent_to_is_looked_at_again(endpoint: Endpoint, sent: Sent) -> None:
    """Until nothing has come meanwhile; one that isn't behind is not looked at at all."""
    seen = waits(endpoint)
    unseen = waits(endpoint)
    unseen.update(actions=[Delivery.lane.remove()])
    assert sweep() == 1
    assert sent.ids == [seen.id]
    more: list[Delivery] = []

    def comes() -> None:
        if len(more) < 2:
            more.append(waits(endpoint))
            more[-1].update(actions=[Delivery.lane.remove()])

    sent.before = comes
    again = waits(endpoint)
    endpoint_lock.fall_behind(endpoint)
    sweep()
    assert sent.ids == [seen.id, again.id, unseen.id, *(each.id for each in more)]


def test_what_fails_in_our_own_house_is_counted_and_stays_due(
    latchkey: TestApp, endpoint: Endpoint, sent: Sent
) -> None:
    """The log names the endpoint, and other endpoints are sent to all the same; this one is behind."""
    other = endpoints.create(endpoint.account_id, url="https://example.com/", name="Other", types=None)
    there, well = waits(endpoint), waits(other)

    def fails() -> None:
        if sent.ids[-1] == there.id:
            raise LookupError("on purpose")

    sent.before = fails
    stream = io.StringIO()
    telemetry.write_to(stream)
    send_all(endpoint, there, well)
    telemetry.write_to(None)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [line for line in lines if line["message"] == "webhooks_not_sent"]
    assert [(line["level"], line["endpoint_id"], line["code"]) for line in told] == [
        ("ERROR", endpoint.id, "LookupError")
    ]
    assert [line["WebhookFaults"] for line in lines if "WebhookFaults" in line] == [1]
    assert (delivery(endpoint, there.id).state, delivery(other, well.id).state) == (PENDING, DELIVERED)
    stands = as_it_stands(endpoint)
    assert (stands.behind_since is not None, stands.busy_until is None) == (True, True)


@pytest.mark.parametrize(("endpoints_there", "sent_each"), [(16, 20), (17, 15)])
def test_nobodys_turn_takes_more_than_15_seconds_while_others_wait(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, endpoints_there: int, sent_each: int
) -> None:
    """Sixteen are sent to at once: for so many each turn may take all of the sweep."""
    until_s: list[int] = []
    monkeypatch.setattr(deliver, "_send_in_order", lambda *arguments: until_s.append(arguments[2] - clock.now_ms()))
    for number in range(endpoints_there):
        waits(Endpoint("acc_a", f"whk_{number}", url="", name="", created_at=0, enabled_at=0))
    assert deliver.sweep(clock.now_ms() + 20_000) == endpoints_there
    assert until_s == [sent_each * 1_000] * endpoints_there


def test_sweep_of_nothing_sends_nothing(latchkey: TestApp) -> None:
    """Nor does it fail."""
    assert sweep() == 0
    deliver.send_all({}, clock.now_ms())
