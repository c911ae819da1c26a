"""Deletion of stored consents: up to a time, and of a member."""

from chalicelib.events import kinds
from chalicelib.oauth import consent
from chalicelib.oauth.tables import Consent
from tests.credentials.events import recorded_events
from tests.oauth.test_consents_stored import APP, entries, find, store_client
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import record_calls, run_before


def test_consents_are_deleted_up_to_a_time_in_slices(latchkey: TestApp) -> None:
    """`delete_until` deletes the consents up to a time, at most `most` in a call, and records an event for each."""
    account = latchkey.account()
    for number in range(3):
        key = consent.key_of(account.user_id, account.id, f"app_{number}")
        key.client_id, key.allowed, key.given_at = f"app_{number}", entries(), START_MS + number
        key.save()
    with record_calls() as calls:
        assert consent.delete_until(account.user_id, START_MS + 1, 1) == 1
    assert all(request.get("ConsistentRead") for operation, request in calls if operation == "Query")
    assert recorded_events(account.id) == [(kinds.CONSENT_WITHDRAWN, {"application": "app_0"})]
    assert [consent.delete_until(account.user_id, START_MS + 1, 9) for _ in range(2)] == [1, 0]
    assert [each.client_id for each in Consent.query(account.user_id)] == ["app_2"]


def test_consent_given_again_meanwhile_is_not_deleted(latchkey: TestApp) -> None:
    """A consent that is given again between reading and deleting isn't deleted."""
    account = latchkey.account()
    store_client(APP)
    consent.remember(account.membership, APP, entries())

    def again() -> None:
        latchkey.clock.now_ms += 1
        consent.remember(account.membership, APP, entries("write"))

    with run_before("TransactWriteItems", again):
        assert consent.delete_until(account.user_id, START_MS, 9) == 1
    assert find(account) is not None
    assert [kind for kind, _ in recorded_events(account.id)] == [kinds.CONSENT_REMEMBERED] * 2


def test_consents_of_a_member_are_deleted_for_one_account(latchkey: TestApp) -> None:
    """Only the consents for this account up to a time are deleted, at most `most` in a call."""
    account, other = latchkey.account(), latchkey.account()
    for number, (account_id, client_id) in enumerate(
        [(account.id, "app_0"), (account.id, "app_1"), (account.id, "app_2"), (other.id, "app_0")]
    ):
        key = consent.key_of(account.user_id, account_id, client_id)
        key.client_id, key.allowed, key.given_at = client_id, entries(), START_MS + number
        key.save()

    def delete(most: int) -> int:
        return consent.delete_of_member(account.user_id, account.id, most, until_ms=START_MS + 1)

    assert [delete(1), delete(9), delete(9)] == [1, 1, 0]
    assert consent.delete_of_member(account.user_id, account.id, 9) == 1
    assert [each.account_id for each in Consent.query(account.user_id)] == [other.id]
