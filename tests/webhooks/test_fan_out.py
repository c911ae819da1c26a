"""Fan-out: creating a delivery for each endpoint that subscribes to an event."""

import io
import json
import zlib

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, ids, settings, telemetry
from chalicelib.events import record
from chalicelib.events.tables import Event
from chalicelib.webhooks import endpoints, fan_out, payload, states
from chalicelib.webhooks.states import DELIVERED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import AccountOfTest, TestApp
from tests.webhooks.told import delivery, happens, reload

HOUR_S, DAY_S = 3_600, 86_400
RENAMED = ["account.renamed"]


def new_endpoint(account: AccountOfTest, types: list[str] | None = None) -> Endpoint:
    """Return a new endpoint of an account."""
    return endpoints.create(account.id, url="https://example.com/hooks", name="Ledger", types=types or RENAMED)


def events_of(*accounts: AccountOfTest) -> list[Event]:
    """Return the events of each account newest first, because the stream may not keep their order."""
    return [event for account in accounts for event in record.newest_first(account.id, 99)]


def enqueue(*accounts: AccountOfTest) -> list[tuple[str, str]]:
    """Create the deliveries of all events of accounts, and return endpoint and id of each new delivery."""
    return [(endpoint.id, delivery.id) for endpoint, delivery in fan_out.enqueue(events_of(*accounts))]


def enqueue_missing(until_after_ms: int = 1) -> int:
    """Create the deliveries that the stream lost, and return their number."""
    return fan_out.enqueue_missing(clock.now_ms(), clock.now_ms() + until_after_ms)


def test_event_is_queued_for_each_subscribed_endpoint(latchkey: TestApp) -> None:
    """Each subscribed endpoint of the account gets the events in their order; other accounts' endpoints get none."""
    ada, bob = latchkey.account(), latchkey.account(name="Bob")
    first, second, bobs = new_endpoint(ada), new_endpoint(ada), new_endpoint(bob)
    new_endpoint(ada, ["key.created"])
    event_ids = [happens(latchkey, ada, f"Ada {number}") for number in range(3)]
    of_bob = happens(latchkey, bob, "Bob B")
    expected = [(each.id, event_id) for each in (first, second) for event_id in event_ids]
    assert enqueue(ada, bob) == [*expected, (bobs.id, of_bob)]


def test_delivery_is_stored_with_final_body(latchkey: TestApp) -> None:
    """A delivery is stored with its final body, is due immediately and is kept as long as its event."""
    ada = latchkey.account()
    endpoint = new_endpoint(ada)
    event_id = happens(latchkey, ada)
    enqueue(ada)
    found, now_ms = delivery(endpoint, event_id), clock.now_ms()
    (event,) = [each for each in events_of(ada) if each.id == event_id]
    assert (found.account_id, found.type, found.body) == (ada.id, "account.renamed", payload.of_event(event))
    assert (found.state, found.created_at, found.due_at, found.tries) == (PENDING, now_ms, now_ms, 0)
    assert found.lane == fan_out.lane_of(endpoint.id)
    assert found.dies_at == now_ms // 1000 + settings.current().events_kept_s
    assert [found.queued_at, found.claimed_until, found.attempts] == [None, None, []]


def test_deliveries_are_spread_over_four_lanes() -> None:
    """A lane is chosen by the endpoint's id, so all deliveries of an endpoint are in one lane."""
    lanes = [fan_out.lane_of(ids.first_at("whk", number)) for number in range(200)]
    assert set(lanes) == {"0", "1", "2", "3"}
    assert fan_out.lane_of("whk_x") == str(zlib.crc32(b"whk_x") % 4)


def test_stored_delivery_is_queued_again_only_without_attempts(latchkey: TestApp) -> None:
    """A pending delivery without attempts is queued again, because a function may have crashed before sending it. No
    other delivery is queued again.
    """
    ada = latchkey.account()
    endpoint = new_endpoint(ada)
    event_id = happens(latchkey, ada)
    assert enqueue(ada) == enqueue(ada) == [(endpoint.id, event_id)]
    pending = delivery(endpoint, event_id)
    pending.update(actions=[Delivery.tries.set(1)])
    assert enqueue(ada) == []
    pending.update(actions=[Delivery.tries.set(0), Delivery.state.set(DELIVERED)])
    assert enqueue(ada) == []
    assert Delivery.count(endpoint.id) == 1


def test_endpoint_receives_events_from_its_first_millisecond(latchkey: TestApp) -> None:
    """An endpoint receives events from the millisecond in which it was enabled, except the event of its own creation. A
    disabled endpoint receives none.
    """
    ada = latchkey.account()
    before = happens(latchkey, ada, "Before")
    endpoint = new_endpoint(ada)
    change_at_once = happens(latchkey, ada, "After")
    for enabled_after_ms, is_delivered in ((1_000, True), (1_001, False)):
        Endpoint(ada.id, endpoint.id).update(actions=[Endpoint.enabled_at.set(endpoint.created_at + enabled_after_ms)])
        assert [event_id for _, event_id in enqueue(ada)] == ([change_at_once] if is_delivered else [])
    assert before not in {each.id for each in Delivery.query(endpoint.id)}
    endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
    happens(latchkey, ada)
    assert enqueue(ada) == []


def test_deliveries_are_listed_newest_first_before_id(latchkey: TestApp) -> None:
    """The list has at most `limit` deliveries, and omits expired ones."""
    ada = latchkey.account()
    endpoint = new_endpoint(ada)
    event_ids = [happens(latchkey, ada, str(number)) for number in range(4)]
    enqueue(ada)

    def log(limit: int, **beyond: str) -> list[str]:
        return [each.id for each in fan_out.of_endpoint(endpoint.id, limit, **beyond)]

    assert log(3) == event_ids[:0:-1]
    assert log(9, before=event_ids[2]) == event_ids[1::-1]
    dies_at = delivery(endpoint, event_ids[0]).dies_at or 0
    latchkey.clock.now_ms = (dies_at - 1) * 1000
    assert len(log(9)) == 4
    latchkey.clock.forward(1)
    assert log(9) == []


def test_lost_event_is_queued_once(latchkey: TestApp) -> None:
    """A lost event is queued once; events of other types and events with a delivery don't count as lost."""
    ada, bob = latchkey.account(), latchkey.account()
    endpoint, disabled = new_endpoint(ada), new_endpoint(bob)
    event_ids = [happens(latchkey, ada, str(number)) for number in range(3)]
    enqueue(ada)
    delivery(endpoint, event_ids[1]).delete()
    delivery(endpoint, event_ids[2]).delete()
    happens(latchkey, bob)
    endpoints.disable(reload(disabled), states.BY_ACCOUNT)
    assert enqueue_missing() == 2
    assert [each.id for each in Delivery.query(endpoint.id)] == event_ids
    assert enqueue_missing() == 0
    assert Delivery.count(disabled.id) == 0


@pytest.mark.parametrize("mark", ["enabled_at", "types_since"])
def test_event_from_before_subscription_is_not_lost(latchkey: TestApp, mark: str) -> None:
    """An event that was recorded before the endpoint subscribed to its type, or before the endpoint was enabled,
    doesn't count as lost.
    """
    ada = latchkey.account()
    endpoint = new_endpoint(ada)
    happens(latchkey, ada)
    latchkey.clock.forward(1)
    Endpoint(ada.id, endpoint.id).update(actions=[getattr(Endpoint, mark).set(clock.now_ms())])
    later = happens(latchkey, ada)
    assert enqueue_missing() == 1
    assert [each.id for each in Delivery.query(endpoint.id)] == [later]


def test_ineligible_endpoint_gets_no_lost_events(latchkey: TestApp) -> None:
    """Lost events are queued only for endpoints that were created in the millisecond of the verification or later."""
    ada = latchkey.account()
    endpoint = new_endpoint(ada)
    happens(latchkey, ada)
    for since_ms, found in ((endpoint.created_at + 1, 0), (endpoint.created_at, 1)):
        Account(ada.id).update(actions=[Account.credentials_since.set(since_ms)])
        assert enqueue_missing() == found


def finds_lost_event(latchkey: TestApp, ago_s: float, *, is_turn: bool) -> bool:
    """Return whether the daily check of the account finds an event that was lost that long ago."""
    ada = latchkey.account()
    new_endpoint(ada)
    happens(latchkey, ada)
    at_ms = clock.now_ms()
    while (zlib.crc32(ada.id.encode()) % 24 == at_ms // 1000 // HOUR_S % 24) is not is_turn:
        at_ms += HOUR_S * 1000
    latchkey.clock.now_ms = at_ms
    lost_ms = round(at_ms - ago_s * 1000)
    moved = Event.from_raw_data(events_of(ada)[0].serialize() | {"id": {"S": ids.first_at("evt", lost_ms) + "z" * 12}})
    moved.at = lost_ms
    moved.save()
    Endpoint(ada.id, next(endpoints.of_account(ada.id)).id).update(
        actions=[Endpoint.enabled_at.set(0), Endpoint.created_at.set(0)]
    )
    enqueue_missing()
    return any(each.id == moved.id for each in Delivery.scan())


@pytest.mark.parametrize(
    ("ago_s", "is_turn", "is_found"),
    [
        *((3 * HOUR_S - 1, False, True), (3 * HOUR_S + 1, False, False)),
        *((3 * HOUR_S + 1, True, True), (3 * DAY_S - 1, True, True), (3 * DAY_S + 1, True, False)),
    ],
)
def test_lost_events_are_searched_for_three_hours_and_daily_for_three_days(
    latchkey: TestApp, ago_s: float, is_turn: bool, is_found: bool
) -> None:
    """Events lost within three hours are found by every run, and those within three days by the account's daily run."""
    assert finds_lost_event(latchkey, ago_s, is_turn=is_turn) is is_found


def test_interrupted_search_is_logged_and_counted(latchkey: TestApp) -> None:
    """After the time limit no further account is searched, and the number of searched accounts is logged."""
    for _ in range(3):
        new_endpoint(latchkey.account())
    stream = io.StringIO()
    telemetry.write_to(stream)
    assert enqueue_missing(0) == 0
    telemetry.write_to(None)
    warned, counted = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (warned["level"], warned["message"], warned["accounts"]) == ("WARNING", "webhooks_not_looked_for", 3)
    assert (counted["BackgroundFaults"], counted["task"]) == (1, "webhooks_not_looked_for")
