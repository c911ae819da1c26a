"""Whose turn it is to send to an endpoint: taken by one, for so long, and given back."""

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.webhooks import endpoint_lock, endpoints, states
from chalicelib.webhooks.tables import Endpoint
from tests.support.harness import TestApp
from tests.webhooks.told import as_it_stands


@pytest.fixture
def endpoint(latchkey: TestApp) -> Endpoint:
    """An endpoint to which nobody sends."""
    return endpoints.create(latchkey.account().id, url="https://example.com/hooks", name="Ledger", types=None)


def test_turn_is_taken_by_one_for_a_minute_and_given_back(endpoint: Endpoint) -> None:
    """Who has it knows the endpoint as it stands."""
    taken = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert taken is not None
    assert (taken.url, taken.busy_until) == (endpoint.url, clock.now_ms() + 60_000)
    assert endpoint_lock.acquire(endpoint.account_id, endpoint.id) is None
    endpoint_lock.release(taken)
    assert as_it_stands(endpoint).busy_until is None
    assert endpoint_lock.acquire(endpoint.account_id, endpoint.id) is not None


@pytest.mark.parametrize(("quiet_after_ms", "is_taken"), [(-1, True), (0, True), (1, False)])
def test_turn_is_not_taken_while_the_endpoint_is_left_alone(
    endpoint: Endpoint, quiet_after_ms: int, is_taken: bool
) -> None:
    """But by hand, for a person who waits."""
    endpoint.update(actions=[Endpoint.quiet_until.set(clock.now_ms() + quiet_after_ms)])
    taken = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert (taken is not None) is is_taken
    if taken is not None:
        endpoint_lock.release(taken)
    with endpoint_lock.hold_for_manual_send(endpoint) as by_hand:
        assert by_hand.id == endpoint.id


@pytest.mark.parametrize("how", ["disabled", "suspended", "from_before", "deleted"])
def test_turn_of_an_endpoint_that_gets_nothing_is_taken_by_nobody(
    latchkey: TestApp, endpoint: Endpoint, how: str
) -> None:
    """Neither by itself nor by hand; a deleted one doesn't come back by it."""
    account = Account.get(endpoint.account_id)
    if how == "disabled":
        endpoints.disable(endpoint, states.BY_ACCOUNT)
    elif how == "suspended":
        account.update(actions=[Account.status.set("suspended")])
    elif how == "from_before":
        account.update(actions=[Account.credentials_since.set(endpoint.created_at + 1)])
    else:
        Endpoint(endpoint.account_id, endpoint.id).delete()
    assert endpoint_lock.acquire(endpoint.account_id, endpoint.id) is None
    with pytest.raises(errors.Conflict), endpoint_lock.hold_for_manual_send(endpoint):
        pass
    assert (Endpoint.found(endpoint.account_id, endpoint.id) is None) is (how == "deleted")


def test_endpoint_of_the_moment_of_the_verification_is_its_accounts_own(endpoint: Endpoint) -> None:
    """What was made in the very millisecond isn't from before."""
    Account(endpoint.account_id).update(actions=[Account.credentials_since.set(endpoint.created_at)])
    assert endpoint_lock.acquire(endpoint.account_id, endpoint.id) is not None


@pytest.mark.parametrize(("after_s", "is_free"), [(14.999, False), (15, True)])
def test_one_message_by_hand_holds_its_account_for_15_seconds(
    latchkey: TestApp, endpoint: Endpoint, after_s: float, is_free: bool
) -> None:
    """Should its function die; whichever of its endpoints the next one is for."""
    other = endpoints.create(endpoint.account_id, url="https://example.com/", name="Other", types=None)
    with endpoint_lock.hold_for_manual_send(endpoint):
        latchkey.clock.forward(after_s)
        if is_free:
            with endpoint_lock.hold_for_manual_send(other) as taken:
                assert taken.id == other.id
        else:
            with (
                pytest.raises(errors.Conflict, match="Try again in a few seconds"),
                endpoint_lock.hold_for_manual_send(other),
            ):
                pass


def test_turn_by_hand_is_given_back_whatever_happens(endpoint: Endpoint) -> None:
    """The account's, and the endpoint's."""
    for _ in range(2):
        with pytest.raises(LookupError), endpoint_lock.hold_for_manual_send(endpoint):
            raise LookupError
    assert [each.busy_until for each in Endpoint.query(endpoint.account_id)] == [None, None]


def test_turn_that_another_has_by_now_is_not_given_back(latchkey: TestApp, endpoint: Endpoint) -> None:
    """Who was too slow ends nobody's turn but their own."""
    slow = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    latchkey.clock.forward(60)
    quick = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert slow is not None
    assert quick is not None
    assert (endpoint_lock.reload_if_held(slow), endpoint_lock.reload_if_held(quick) is not None) == (None, True)
    endpoint_lock.release(slow)
    assert as_it_stands(endpoint).busy_until == quick.busy_until


def test_endpoint_that_was_disabled_or_deleted_is_held_by_nobody(endpoint: Endpoint) -> None:
    """Whoever had its turn sees so before the next message."""
    taken = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert taken is not None
    assert endpoint_lock.reload_if_held(taken) is not None
    endpoints.disable(as_it_stands(endpoint), states.BY_ACCOUNT)
    assert endpoint_lock.reload_if_held(taken) is None
    Endpoint(endpoint.account_id, endpoint.id).delete()
    assert endpoint_lock.reload_if_held(taken) is None


def test_endpoint_catches_up_with_what_it_was_behind_of(latchkey: TestApp, endpoint: Endpoint) -> None:
    """Not with what it fell behind of since that was seen; a deleted one doesn't come back by either."""
    endpoint_lock.fall_behind(endpoint)
    seen = as_it_stands(endpoint)
    assert seen.behind_since == clock.now_ms()
    latchkey.clock.forward(1)
    endpoint_lock.fall_behind(endpoint)
    endpoint_lock.clear_backlog(seen)
    assert as_it_stands(endpoint).behind_since == clock.now_ms()
    endpoint_lock.clear_backlog(as_it_stands(endpoint))
    assert as_it_stands(endpoint).behind_since is None
    Endpoint(endpoint.account_id, endpoint.id).delete()
    endpoint_lock.fall_behind(endpoint)
    endpoint_lock.clear_backlog(seen)
    assert Endpoint.found(endpoint.account_id, endpoint.id) is None
