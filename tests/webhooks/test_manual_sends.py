"""Manual sends: test messages and resends, and what is stored before each attempt."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, ids, telemetry
from chalicelib.webhooks import deliver, endpoints, fan_out, send_delivery, states
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.states import DELIVERED, FAILED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp
from tests.support.interleaving import run_before
from tests.webhooks.told import delivery, reload


@pytest.fixture
def endpoint(latchkey: TestApp) -> Endpoint:
    """An endpoint without attempts."""
    return endpoints.create(latchkey.account().id, url="https://example.com/hooks", name="Ledger", types=None)


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The deadlines of all attempts. Every attempt is replaced by a success."""
    asked: list[float] = []

    def send(_endpoint: Endpoint, _delivery: Delivery, *, deadline_s: float) -> Outcome:
        asked.append(deadline_s)
        return Outcome(clock.now_ms(), 5, 200)

    monkeypatch.setattr(send_delivery, "send", send)
    return asked


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt raise an exception that stops the code as if the function were killed."""

    def send(*_: Any, **__: Any) -> Outcome:
        raise LookupError("killed")

    monkeypatch.setattr(send_delivery, "send", send)


def store_delivery(endpoint: Endpoint, **fields: Any) -> Delivery:
    """Store a failed delivery with some fields replaced."""
    made = fan_out.new_delivery(endpoint, ids.new("evt"), "key.created", "{}", due_at=1)
    chosen = {"state": FAILED, "lane": None, "due_at": None, "tries": 10} | fields
    for name, value in chosen.items():
        setattr(made, name, value)
    made.save()
    return made


def test_test_message_is_claimed_for_a_minute(endpoint: Endpoint, killed: None) -> None:
    """A test message is claimed for a minute, so that it is due again if the function crashes. An exception releases
    the lock.
    """
    with pytest.raises(LookupError):
        deliver.send_test(endpoint)
    (found,) = Delivery.query(endpoint.id)
    assert (found.state, found.type, found.tries) == (PENDING, "webhook.test", 0)
    assert (found.due_at, found.claimed_until) == (clock.now_ms() + 60_000, clock.now_ms() + 60_000)
    assert json.loads(found.body)["data"] == {
        "id": found.id,
        "type": "webhook.test",
        "changed": {"webhook": endpoint.id},
    }
    assert reload(endpoint).busy_until is None


def test_resend_restarts_retry_schedule(latchkey: TestApp, endpoint: Endpoint, killed: None) -> None:
    """A resend starts the retry schedule again and claims the delivery for a minute."""
    given_up = store_delivery(endpoint)
    latchkey.clock.forward(60)
    with pytest.raises(LookupError):
        deliver.resend(endpoint, given_up.id)
    found, now_ms = delivery(endpoint, given_up.id), clock.now_ms()
    assert (found.state, found.tries, found.lane) == (PENDING, 0, fan_out.lane_of(endpoint.id))
    assert (found.queued_at, found.due_at, found.claimed_until) == (now_ms, now_ms + 60_000, now_ms + 60_000)
    assert found.created_at == given_up.created_at


@pytest.mark.parametrize("how", ["test", "resend"])
def test_manual_send_has_five_seconds_and_returns_outcome(endpoint: Endpoint, deadlines: list[float], how: str) -> None:
    """A manual send has a deadline of five seconds, because a user waits for it, and returns the outcome."""
    sent = deliver.send_test(endpoint) if how == "test" else deliver.resend(endpoint, store_delivery(endpoint).id)
    assert (sent.state, sent.tries, [each.status for each in sent.attempts]) == (DELIVERED, 1, [200])
    assert deadlines == [5]
    assert reload(endpoint).busy_until is None


@pytest.mark.parametrize(("after_ms", "is_busy"), [(-1, False), (0, False), (1, True)])
def test_claimed_delivery_is_not_resent(
    endpoint: Endpoint, deadlines: list[float], after_ms: int, is_busy: bool
) -> None:
    """A delivery can't be resent before its claim of one minute has expired."""
    held = store_delivery(endpoint, claimed_until=clock.now_ms() + after_ms)
    if is_busy:
        with pytest.raises(errors.Conflict, match="being sent right now"):
            deliver.resend(endpoint, held.id)
    else:
        assert deliver.resend(endpoint, held.id).state == DELIVERED
    assert len(deadlines) == (not is_busy)


def test_concurrently_deleted_delivery_is_not_recreated(endpoint: Endpoint, deadlines: list[float]) -> None:
    """A delivery that is deleted during a resend is neither stored again nor sent."""
    pending = store_delivery(endpoint)
    with run_before("UpdateItem", Delivery(endpoint.id, pending.id).delete), pytest.raises(errors.Conflict):
        deliver.resend(endpoint, pending.id)
    assert (Delivery.count(endpoint.id), deadlines) == (0, [])


@pytest.mark.parametrize("message_id", ["nonsense", "key_00000000000000000000", ""])
def test_malformed_message_id_is_not_found_without_read(endpoint: Endpoint, message_id: str) -> None:
    """A malformed message id is not found, and causes no database call."""
    with telemetry.record_calls() as calls, pytest.raises(errors.NotFound, match="no such delivery"):
        deliver.find_delivery(endpoint, message_id)
    assert calls.made == []
    with pytest.raises(errors.NotFound):
        deliver.find_delivery(endpoint, "evt_" + "0" * 20)
    pending = store_delivery(endpoint)
    assert deliver.find_delivery(endpoint, pending.id).id == pending.id


DEEDS: list[Callable[[Endpoint], Delivery]] = [
    deliver.send_test,
    lambda endpoint: deliver.resend(endpoint, store_delivery(endpoint).id),
]


@pytest.mark.parametrize("deed", DEEDS, ids=["test", "resend"])
def test_manual_send_to_disabled_endpoint_is_rejected(
    endpoint: Endpoint, deadlines: list[float], deed: Callable[[Endpoint], Delivery]
) -> None:
    """A manual send is rejected if the endpoint is disabled, even concurrently, or its account is suspended. For a
    disabled endpoint the error says to enable it.
    """
    read = reload(endpoint)
    endpoints.disable(endpoint, states.BY_ACCOUNT)
    with pytest.raises(errors.Conflict, match="Enable it first"):
        deed(reload(endpoint))
    with pytest.raises(errors.Conflict, match="Try again in a few seconds"):
        deed(read)
    endpoints.enable(reload(endpoint))
    Account(endpoint.account_id).update(actions=[Account.status.set("suspended")])
    with pytest.raises(errors.Conflict):
        deed(reload(endpoint))
    assert deadlines == []
