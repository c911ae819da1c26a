"""Sending to one endpoint: claims, the backlog, and dropped deliveries."""

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
from tests.webhooks.told import delivery, reload

MINUTE_MS = 60_000
LATER_MS = 30_000


@pytest.fixture
def endpoint(latchkey: TestApp) -> Endpoint:
    """An endpoint without attempts."""
    return endpoints.create(latchkey.account().id, url="https://example.com/hooks", name="Ledger", types=None)


class Sent:
    """A fake of `send_delivery.send`. It records message ids and returns a configured status, 200 by default."""

    def __init__(self) -> None:
        """Start without recorded messages."""
        self.ids: list[str] = []
        self.status: int | None = 200
        self.before: Callable[[], object] = lambda: None

    def send(self, _endpoint: Endpoint, sent: Delivery, _resolver: ssrf_rule.Resolve = ssrf_rule.resolve) -> Outcome:
        """Record a message and return its outcome."""
        self.ids.append(sent.id)
        self.before()
        return Outcome(clock.now_ms(), 5, self.status)


@pytest.fixture
def sent(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Replace attempts by a fake that records them."""
    made = Sent()
    monkeypatch.setattr(send_delivery, "send", made.send)
    return made


def queue_delivery(endpoint: Endpoint, due_after_ms: int = 0) -> Delivery:
    """Store a pending delivery of the endpoint."""
    made = fan_out.new_delivery(endpoint, ids.new("evt"), "key.created", "{}", due_at=clock.now_ms() + due_after_ms)
    made.save()
    return made


def send_all(endpoint: Endpoint, *waiting_there: Delivery, for_ms: int = LATER_MS) -> None:
    """Send these deliveries."""
    deliver.send_all(delivery_queue.group_by_endpoint(waiting_there), clock.now_ms() + for_ms)


def sweep() -> int:
    """Send all due deliveries, and return their number."""
    return deliver.sweep(clock.now_ms() + LATER_MS)


@pytest.mark.parametrize(("due_after_ms", "is_claimed"), [(-1, True), (0, True), (1, False)])
def test_due_delivery_is_claimed_for_a_minute(endpoint: Endpoint, due_after_ms: int, is_claimed: bool) -> None:
    """One function claims a due delivery for a minute; a delivery that isn't due, or is delivered, can't be claimed."""
    pending = queue_delivery(endpoint, due_after_ms)
    claimed = deliver._claim(endpoint, pending.id)
    assert (claimed is not None) is is_claimed
    if claimed is not None:
        until_ms = clock.now_ms() + MINUTE_MS
        assert (claimed.due_at, claimed.claimed_until, claimed.body) == (until_ms, until_ms, "{}")
        assert delivery(endpoint, pending.id).due_at == until_ms
        assert deliver._claim(endpoint, pending.id) is None
    over = queue_delivery(endpoint)
    over.update(actions=[Delivery.state.set(DELIVERED)])
    assert deliver._claim(endpoint, over.id) is None
    assert deliver._claim(endpoint, "evt_unknown") is None
    assert Delivery.count(endpoint.id) == 2


@pytest.mark.parametrize(
    ("enabled_after_ms", "queued_after_ms", "is_sent"),
    [(0, None, True), (1, None, False), (1, 0, False), (1, 1, True), (1, 2, True), (-1, None, True)],
)
def test_delivery_from_before_enabling_is_dropped_unless_resent(
    endpoint: Endpoint, sent: Sent, enabled_after_ms: int, queued_after_ms: int | None, is_sent: bool
) -> None:
    """A delivery that was created before the endpoint was enabled is dropped, unless it was resent afterwards. A
    delivery of the same millisecond is sent.
    """
    pending, now_ms = queue_delivery(endpoint), clock.now_ms()
    Endpoint(endpoint.account_id, endpoint.id).update(actions=[Endpoint.enabled_at.set(now_ms + enabled_after_ms)])
    if queued_after_ms is not None:
        pending.update(actions=[Delivery.queued_at.set(now_ms + queued_after_ms)])
    send_all(endpoint, pending)
    assert (sent.ids == [pending.id]) is is_sent
    assert delivery(endpoint, pending.id).state == (DELIVERED if is_sent else FAILED)


def test_deliveries_are_sent_in_order_of_ids(endpoint: Endpoint, sent: Sent) -> None:
    """Due deliveries are sent in the order of their ids; afterwards the endpoint has no backlog and isn't locked."""
    first, second, third = (queue_delivery(endpoint) for _ in range(3))
    send_all(endpoint, second, first)
    assert sent.ids == [first.id, second.id]
    queue_delivery(endpoint, 1)
    assert sweep() == 1
    assert sent.ids == [first.id, second.id, third.id]
    current = reload(endpoint)
    assert [current.behind_since, current.busy_until] == [None, None]


@pytest.mark.parametrize(("number", "is_behind"), [(1, False), (2, True)])
def test_unreachable_endpoint_is_backlogged_only_with_untried_deliveries(
    endpoint: Endpoint, sent: Sent, number: int, is_behind: bool
) -> None:
    """After a failed attempt nothing more is sent to an endpoint. If untried deliveries remain, it is marked as
    backlogged.
    """
    pending = [queue_delivery(endpoint) for _ in range(number)]
    sent.status = None
    send_all(endpoint, *pending)
    assert sent.ids == [pending[0].id]
    assert (reload(endpoint).behind_since is not None) is is_behind


def test_endpoint_with_410_is_sent_nothing_more(endpoint: Endpoint, sent: Sent) -> None:
    """After a 410 nothing more is sent, and the sweep drops the endpoint's deliveries."""
    pending = [queue_delivery(endpoint) for _ in range(3)]
    sent.status = 410
    send_all(endpoint, *pending)
    assert sent.ids == [pending[0].id]
    assert reload(endpoint).behind_since is None
    sweep()
    assert [delivery(endpoint, each.id).state for each in pending[1:]] == [FAILED, FAILED]
    assert sent.ids == [pending[0].id]


def test_claimed_delivery_does_not_block_later_ones(endpoint: Endpoint, sent: Sent) -> None:
    """A delivery that another function has claimed is skipped."""
    first, second = queue_delivery(endpoint, 1), queue_delivery(endpoint)
    send_all(endpoint, first, second)
    assert sent.ids == [second.id]


@pytest.mark.parametrize(
    ("for_ms", "busy_for_ms", "is_sent"),
    [(1, 15_001, True), (0, 60_000, False), (1, 15_000, False)],
)
def test_no_attempt_starts_that_could_outlast_lock(
    endpoint: Endpoint, sent: Sent, for_ms: int, busy_for_ms: int, is_sent: bool
) -> None:
    """No attempt starts that could end after the lock expires, or after the function's time limit."""
    pending = queue_delivery(endpoint)
    taken = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert taken is not None
    taken.update(actions=[Endpoint.busy_until.set(clock.now_ms() + busy_for_ms)])
    tried = deliver._try_all(taken, [pending.id], clock.now_ms() + for_ms, ssrf_rule.resolve)
    assert (tried, bool(sent.ids)) == (is_sent, is_sent)


@pytest.mark.parametrize("why", ["disabled", "deleted"])
def test_deliveries_of_blocked_endpoint_are_dropped_within_time_limit(
    latchkey: TestApp, endpoint: Endpoint, sent: Sent, why: str
) -> None:
    """Deliveries of a disabled or deleted endpoint are dropped until the time limit, without marking a backlog."""
    pending = [queue_delivery(endpoint) for _ in range(2)]
    if why == "disabled":
        endpoints.disable(endpoint, states.BY_ACCOUNT)
    else:
        endpoints.delete(endpoint)
    send_all(endpoint, *pending, for_ms=0)
    assert [delivery(endpoint, each.id).state for each in pending] == [PENDING, PENDING]
    latchkey.clock.forward(1)
    send_all(endpoint, *pending, for_ms=1)
    assert [delivery(endpoint, each.id).state for each in pending] == [FAILED, FAILED]
    assert sent.ids == []
    current = Endpoint.found(endpoint.account_id, endpoint.id)
    assert current is None or current.behind_since is None


@pytest.mark.parametrize(("busy_after_ms", "is_behind"), [(1, True), (0, False)])
def test_locked_endpoint_is_backlogged_and_one_in_back_off_is_not(
    endpoint: Endpoint, sent: Sent, busy_after_ms: int, is_behind: bool
) -> None:
    """If an endpoint is locked, it is marked as backlogged; if it is in back-off, it isn't marked. Nothing is sent or
    dropped.
    """
    pending, now_ms = queue_delivery(endpoint), clock.now_ms()
    left_alone, busy = Endpoint.quiet_until.set(now_ms + 1), Endpoint.busy_until.set(now_ms + busy_after_ms)
    Endpoint(endpoint.account_id, endpoint.id).update(actions=[left_alone, busy])
    send_all(endpoint, pending)
    assert (sent.ids, delivery(endpoint, pending.id).state) == ([], PENDING)
    assert (reload(endpoint).behind_since is not None) is is_behind


@pytest.mark.parametrize(("ago_ms", "is_sent"), [(300_000, True), (300_001, False)])
def test_sweep_reads_deliveries_of_last_five_minutes_again(
    latchkey: TestApp, endpoint: Endpoint, sent: Sent, ago_ms: int, is_sent: bool
) -> None:
    """A sweep also finds deliveries of the last five minutes that the index doesn't contain yet."""
    unseen = queue_delivery(endpoint)
    unseen.update(actions=[Delivery.lane.remove()])
    latchkey.clock.forward(ago_ms / 1000)
    tried, later, seen = queue_delivery(endpoint), queue_delivery(endpoint, 1), queue_delivery(endpoint)
    tried.update(actions=[Delivery.tries.set(1), Delivery.lane.remove()])
    later.update(actions=[Delivery.lane.remove()])
    endpoint_lock.mark_backlogged(endpoint)
    assert sweep() == 1
    assert sent.ids == ([seen.id, unseen.id] if is_sent else [seen.id])
    assert reload(endpoint).behind_since is None


def test_backlog_during_sending_is_processed_until_clear(endpoint: Endpoint, sent: Sent) -> None:
    """A sweep that clears a backlog also sends the deliveries that are queued while it runs."""
    seen = queue_delivery(endpoint)
    unseen = queue_delivery(endpoint)
    unseen.update(actions=[Delivery.lane.remove()])
    assert sweep() == 1
    assert sent.ids == [seen.id]
    more: list[Delivery] = []

    def queue_more() -> None:
        if len(more) < 2:
            more.append(queue_delivery(endpoint))
            more[-1].update(actions=[Delivery.lane.remove()])

    sent.before = queue_more
    again = queue_delivery(endpoint)
    endpoint_lock.mark_backlogged(endpoint)
    sweep()
    assert sent.ids == [seen.id, again.id, unseen.id, *(each.id for each in more)]


def test_internal_error_is_counted_and_delivery_stays_due(latchkey: TestApp, endpoint: Endpoint, sent: Sent) -> None:
    """If an attempt raises an internal error, the error is logged and counted, and the endpoint is marked as
    backlogged. Other endpoints get their deliveries.
    """
    other = endpoints.create(endpoint.account_id, url="https://example.com/", name="Other", types=None)
    pending, well = queue_delivery(endpoint), queue_delivery(other)

    def fails() -> None:
        if sent.ids[-1] == pending.id:
            raise LookupError("on purpose")

    sent.before = fails
    stream = io.StringIO()
    telemetry.write_to(stream)
    send_all(endpoint, pending, well)
    telemetry.write_to(None)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    logged = [line for line in lines if line["message"] == "webhooks_not_sent"]
    assert [(line["level"], line["endpoint_id"], line["code"]) for line in logged] == [
        ("ERROR", endpoint.id, "LookupError")
    ]
    assert [line["WebhookFaults"] for line in lines if "WebhookFaults" in line] == [1]
    assert (delivery(endpoint, pending.id).state, delivery(other, well.id).state) == (PENDING, DELIVERED)
    current = reload(endpoint)
    assert (current.behind_since is not None, current.busy_until is None) == (True, True)


@pytest.mark.parametrize(("endpoints_there", "sent_each"), [(16, 20), (17, 15)])
def test_endpoint_has_15_seconds_while_others_need_thread(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, endpoints_there: int, sent_each: int
) -> None:
    """If more than sixteen endpoints have due deliveries, a sweep sends to each for at most 15 seconds. Otherwise it
    may send to each until its own time limit.
    """
    until_s: list[int] = []
    monkeypatch.setattr(deliver, "_send_in_order", lambda *arguments: until_s.append(arguments[2] - clock.now_ms()))
    for number in range(endpoints_there):
        queue_delivery(Endpoint("acc_a", f"whk_{number}", url="", name="", created_at=0, enabled_at=0))
    assert deliver.sweep(clock.now_ms() + 20_000) == endpoints_there
    assert until_s == [sent_each * 1_000] * endpoints_there


def test_empty_sweep_sends_nothing(latchkey: TestApp) -> None:
    """A sweep without due deliveries sends nothing and raises no error."""
    assert sweep() == 0
    deliver.send_all({}, clock.now_ms())
