"""Which endpoints an event goes to, and putting it on its way to each."""

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
from tests.support.harness import TestApp
from tests.webhooks.told import as_it_stands, delivery, happens

HOUR_S, DAY_S = 3_600, 86_400
RENAMED = ["account.renamed"]


def made(account: Account, types: list[str] | None = None) -> Endpoint:
    """Return a new endpoint of an account."""
    return endpoints.create(account.id, url="https://example.com/hooks", name="Ledger", types=types or RENAMED)


def events_of(*accounts: Account) -> list[Event]:
    """Return what happened to accounts, as the stream may bring it: in no order."""
    return [event for account in accounts for event in record.newest_first(account.id, 99)]


def put(*accounts: Account) -> list[tuple[str, str]]:
    """Put all that happened to accounts on its way, and return the endpoints and ids of what is new."""
    return [(endpoint.id, delivery.id) for endpoint, delivery in fan_out.put(events_of(*accounts))]


def missing(until_after_ms: int = 1) -> int:
    """Look for what the stream lost."""
    return fan_out.put_what_is_missing(clock.now_ms(), clock.now_ms() + until_after_ms)


def test_event_is_put_on_its_way_to_each_endpoint_that_is_told_of_it(latchkey: TestApp) -> None:
    """In order for each, of whichever accounts; another account's go to its own."""
    ada, bob = latchkey.account(), latchkey.account(name="Bob")
    first, second, bobs = made(ada), made(ada), made(bob)
    made(ada, ["key.created"])
    happened = [happens(latchkey, ada, f"Ada {number}") for number in range(3)]
    of_bob = happens(latchkey, bob, "Bob B")
    expected = [(each.id, event_id) for each in (first, second) for event_id in happened]
    assert put(ada, bob) == [*expected, (bobs.id, of_bob)]


def test_delivery_is_stored_as_it_will_be_sent(latchkey: TestApp) -> None:
    """Due at once, in the queue, and kept as long as the event."""
    ada = latchkey.account()
    endpoint = made(ada)
    event_id = happens(latchkey, ada)
    put(ada)
    found, now_ms = delivery(endpoint, event_id), clock.now_ms()
    (event,) = [each for each in events_of(ada) if each.id == event_id]
    assert (found.account_id, found.type, found.body) == (ada.id, "account.renamed", payload.of_event(event))
    assert (found.state, found.created_at, found.due_at, found.tries) == (PENDING, now_ms, now_ms, 0)
    assert found.lane == fan_out.lane_of(endpoint.id)
    assert found.dies_at == now_ms // 1000 + settings.current().events_kept_s
    assert [found.queued_at, found.claimed_until, found.attempts] == [None, None, []]


def test_what_waits_is_spread_over_four_lanes() -> None:
    """Each endpoint's in one of them."""
    lanes = [fan_out.lane_of(ids.first_at("whk", number)) for number in range(200)]
    assert set(lanes) == {"0", "1", "2", "3"}
    assert fan_out.lane_of("whk_x") == str(zlib.crc32(b"whk_x") % 4)


def test_event_that_was_put_before_is_put_again_only_if_it_was_never_tried(latchkey: TestApp) -> None:
    """Whoever put it there may have died; what was tried has its schedule."""
    ada = latchkey.account()
    endpoint = made(ada)
    event_id = happens(latchkey, ada)
    assert put(ada) == put(ada) == [(endpoint.id, event_id)]
    there = delivery(endpoint, event_id)
    there.update(actions=[Delivery.tries.set(1)])
    assert put(ada) == []
    there.update(actions=[Delivery.tries.set(0), Delivery.state.set(DELIVERED)])
    assert put(ada) == []
    assert Delivery.count(endpoint.id) == 1


def test_endpoint_is_told_of_what_happens_from_its_first_millisecond_on(latchkey: TestApp) -> None:
    """Not before it was enabled, nor while it is disabled, nor of its own creation."""
    ada = latchkey.account()
    before = happens(latchkey, ada, "Before")
    endpoint = made(ada)
    change_at_once = happens(latchkey, ada, "After")
    for enabled_after_ms, told in ((1_000, True), (1_001, False)):
        Endpoint(ada.id, endpoint.id).update(actions=[Endpoint.enabled_at.set(endpoint.created_at + enabled_after_ms)])
        assert [event_id for _, event_id in put(ada)] == ([change_at_once] if told else [])
    assert before not in {each.id for each in Delivery.query(endpoint.id)}
    endpoints.disable(as_it_stands(endpoint), states.BY_ACCOUNT)
    happens(latchkey, ada)
    assert put(ada) == []


def test_log_of_an_endpoint_is_read_newest_first_beyond_an_id(latchkey: TestApp) -> None:
    """No more than asked for, and nothing that is over."""
    ada = latchkey.account()
    endpoint = made(ada)
    happened = [happens(latchkey, ada, str(number)) for number in range(4)]
    put(ada)

    def log(limit: int, **beyond: str) -> list[str]:
        return [each.id for each in fan_out.of_endpoint(endpoint.id, limit, **beyond)]

    assert log(3) == happened[:0:-1]
    assert log(9, before=happened[2]) == happened[1::-1]
    dies_at = delivery(endpoint, happened[0]).dies_at or 0
    latchkey.clock.now_ms = (dies_at - 1) * 1000
    assert len(log(9)) == 4
    latchkey.clock.forward(1)
    assert log(9) == []


def test_what_the_stream_lost_is_put_on_its_way(latchkey: TestApp) -> None:
    """Once; what an endpoint isn't told of is not lost, nor what is there already."""
    ada, bob = latchkey.account(), latchkey.account()
    endpoint, disabled = made(ada), made(bob)
    happened = [happens(latchkey, ada, str(number)) for number in range(3)]
    put(ada)
    delivery(endpoint, happened[1]).delete()
    delivery(endpoint, happened[2]).delete()
    happens(latchkey, bob)
    endpoints.disable(as_it_stands(disabled), states.BY_ACCOUNT)
    assert missing() == 2
    assert [each.id for each in Delivery.query(endpoint.id)] == happened
    assert missing() == 0
    assert Delivery.count(disabled.id) == 0


@pytest.mark.parametrize("mark", ["enabled_at", "types_since"])
def test_what_was_not_to_be_told_then_is_not_lost(latchkey: TestApp, mark: str) -> None:
    """Of before it was enabled, or given these types."""
    ada = latchkey.account()
    endpoint = made(ada)
    happens(latchkey, ada)
    latchkey.clock.forward(1)
    Endpoint(ada.id, endpoint.id).update(actions=[getattr(Endpoint, mark).set(clock.now_ms())])
    later = happens(latchkey, ada)
    assert missing() == 1
    assert [each.id for each in Delivery.query(endpoint.id)] == [later]


def test_endpoint_from_before_the_verification_lost_nothing(latchkey: TestApp) -> None:
    """It gets nothing; one of the very millisecond does."""
    ada = latchkey.account()
    endpoint = made(ada)
    happens(latchkey, ada)
    for since_ms, found in ((endpoint.created_at + 1, 0), (endpoint.created_at, 1)):
        Account(ada.id).update(actions=[Account.credentials_since.set(since_ms)])
        assert missing() == found


def looked_for(latchkey: TestApp, ago_s: float, *, is_turn: bool) -> bool:
    """Tell whether what was lost so long ago is found, in the hour of the day when its account is looked at long."""
    ada = latchkey.account()
    made(ada)
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
    missing()
    return any(each.id == moved.id for each in Delivery.scan())


@pytest.mark.parametrize(
    ("ago_s", "is_turn", "is_found"),
    [
        *((3 * HOUR_S - 1, False, True), (3 * HOUR_S + 1, False, False)),
        *((3 * HOUR_S + 1, True, True), (3 * DAY_S - 1, True, True), (3 * DAY_S + 1, True, False)),
    ],
)
def test_three_hours_are_looked_back_at_and_once_a_day_three_days(
    latchkey: TestApp, ago_s: float, is_turn: bool, is_found: bool
) -> None:
    """Each account has its own hour for that."""
    assert looked_for(latchkey, ago_s, is_turn=is_turn) is is_found


def test_look_that_ends_early_says_how_many_accounts_there_were(latchkey: TestApp) -> None:
    """No account is begun at the end; it is counted as a fault of the background."""
    for _ in range(3):
        made(latchkey.account())
    stream = io.StringIO()
    telemetry.write_to(stream)
    assert missing(0) == 0
    telemetry.write_to(None)
    warned, counted = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (warned["level"], warned["message"], warned["accounts"]) == ("WARNING", "webhooks_not_looked_for", 3)
    assert (counted["BackgroundFaults"], counted["task"]) == (1, "webhooks_not_looked_for")
