"""The lock of an endpoint, which one function holds for a limited time."""

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.webhooks import endpoint_lock, endpoints, states
from chalicelib.webhooks.tables import Endpoint
from tests.support.harness import TestApp
from tests.webhooks.told import reload


@pytest.fixture
def endpoint(latchkey: TestApp) -> Endpoint:
    """An endpoint whose lock is free."""
    return endpoints.create(latchkey.account().id, url="https://example.com/hooks", name="Ledger", types=None)


def test_lock_is_held_by_one_function_for_a_minute(endpoint: Endpoint) -> None:
    """The function that acquires the lock gets the current endpoint; others can acquire it after the release."""
    taken = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert taken is not None
    assert (taken.url, taken.busy_until) == (endpoint.url, clock.now_ms() + 60_000)
    assert endpoint_lock.acquire(endpoint.account_id, endpoint.id) is None
    endpoint_lock.release(taken)
    assert reload(endpoint).busy_until is None
    assert endpoint_lock.acquire(endpoint.account_id, endpoint.id) is not None


@pytest.mark.parametrize(("quiet_after_ms", "is_taken"), [(-1, True), (0, True), (1, False)])
def test_lock_is_unavailable_during_back_off(endpoint: Endpoint, quiet_after_ms: int, is_taken: bool) -> None:
    """During a back-off only a manual send can acquire the lock."""
    endpoint.update(actions=[Endpoint.quiet_until.set(clock.now_ms() + quiet_after_ms)])
    taken = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert (taken is not None) is is_taken
    if taken is not None:
        endpoint_lock.release(taken)
    with endpoint_lock.hold_for_manual_send(endpoint) as by_hand:
        assert by_hand.id == endpoint.id


@pytest.mark.parametrize("how", ["disabled", "suspended", "from_before", "deleted"])
def test_lock_of_blocked_endpoint_cannot_be_acquired(latchkey: TestApp, endpoint: Endpoint, how: str) -> None:
    """No function can lock a disabled, suspended or ineligible endpoint, and a deleted one isn't recreated."""
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


def test_endpoint_from_millisecond_of_verification_is_eligible(endpoint: Endpoint) -> None:
    """An endpoint created in the millisecond of the verification doesn't count as earlier."""
    Account(endpoint.account_id).update(actions=[Account.credentials_since.set(endpoint.created_at)])
    assert endpoint_lock.acquire(endpoint.account_id, endpoint.id) is not None


@pytest.mark.parametrize(("after_s", "is_free"), [(14.999, False), (15, True)])
def test_manual_send_locks_account_for_15_seconds(
    latchkey: TestApp, endpoint: Endpoint, after_s: float, is_free: bool
) -> None:
    """A manual send locks all endpoints of its account; after a crash the lock expires."""
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


def test_manual_send_releases_locks_after_error(endpoint: Endpoint) -> None:
    """After an error in a manual send, the locks of account and endpoint are both released."""
    for _ in range(2):
        with pytest.raises(LookupError), endpoint_lock.hold_for_manual_send(endpoint):
            raise LookupError
    assert [each.busy_until for each in Endpoint.query(endpoint.account_id)] == [None, None]


def test_late_release_does_not_free_lock_of_another(latchkey: TestApp, endpoint: Endpoint) -> None:
    """A function whose lock has expired can't release the lock of the next function."""
    slow = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    latchkey.clock.forward(60)
    quick = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert slow is not None
    assert quick is not None
    assert (endpoint_lock.reload_if_held(slow), endpoint_lock.reload_if_held(quick) is not None) == (None, True)
    endpoint_lock.release(slow)
    assert reload(endpoint).busy_until == quick.busy_until


def test_lock_is_lost_when_endpoint_is_disabled_or_deleted(endpoint: Endpoint) -> None:
    """A function that holds the lock detects before its next attempt that the endpoint is disabled or deleted."""
    taken = endpoint_lock.acquire(endpoint.account_id, endpoint.id)
    assert taken is not None
    assert endpoint_lock.reload_if_held(taken) is not None
    endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
    assert endpoint_lock.reload_if_held(taken) is None
    Endpoint(endpoint.account_id, endpoint.id).delete()
    assert endpoint_lock.reload_if_held(taken) is None


def test_backlog_is_cleared_unless_marked_again(latchkey: TestApp, endpoint: Endpoint) -> None:
    """Clearing a backlog changes nothing if the endpoint was marked again in the meantime or was deleted."""
    endpoint_lock.mark_backlogged(endpoint)
    seen = reload(endpoint)
    assert seen.behind_since == clock.now_ms()
    latchkey.clock.forward(1)
    endpoint_lock.mark_backlogged(endpoint)
    endpoint_lock.clear_backlog(seen)
    assert reload(endpoint).behind_since == clock.now_ms()
    endpoint_lock.clear_backlog(reload(endpoint))
    assert reload(endpoint).behind_since is None
    Endpoint(endpoint.account_id, endpoint.id).delete()
    endpoint_lock.mark_backlogged(endpoint)
    endpoint_lock.clear_backlog(seen)
    assert Endpoint.found(endpoint.account_id, endpoint.id) is None
