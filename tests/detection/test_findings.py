"""Findings of the hourly run are recorded once, and policies are applied."""

import pytest

from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.credentials import change, find
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.tables import Credential
from chalicelib.detection import leak_policy
from chalicelib.events import kinds, record
from chalicelib.limits import counter_items
from tests.detection.current_hour import anomalies, key, set_current_hour
from tests.detection.planted import HOUR_S, NETWORK, item, lose_writes
from tests.oauth.flow import App, User, register_client
from tests.support.harness import TestApp

__all__ = ["key"]


@pytest.mark.parametrize(
    ("networks", "counted", "kind"),
    [
        (["nBBBBBBBB"], {}, kinds.NEW_NETWORK),
        ([], {"requests": 900}, kinds.UNUSUAL_TRAFFIC),
        ([], {"requests": 90, "denials": 60}, kinds.MANY_DENIALS),
        ([], {"refusals": 300}, kinds.MANY_REFUSALS),
    ],
)
def test_planted_anomaly_is_recorded_once(
    latchkey: TestApp, key: Issued, networks: list[str], counted: dict[str, int], kind: str
) -> None:
    """An anomaly is recorded once and shown with its key."""
    background.every_hour()
    assert anomalies(key) == []
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, *networks, **counted)
    background.every_hour()
    (found,) = anomalies(key)
    assert (found["type"], found["key"], found["name"]) == (kind, key.key.id, "Test key")
    assert found["hour"] == clock.iso(clock.hour_of(clock.now_s()) * 1000)
    assert Credential.get(key.key.digest).unusual is not None
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert len(anomalies(key)) == 1


def test_client_is_named_by_id_and_name(latchkey: TestApp, ada: User, app: App) -> None:
    """A finding names an OAuth client by id and by name, even if the client's token has expired."""
    other = register_client(latchkey)
    counter = counter_items.counter_of(app.id)
    latchkey.clock.forward(10 * 24 * HOUR_S)
    hour = clock.hour_of(clock.now_s())
    for ago in range(1, 10 * 24):
        item(ada.account, hour - ago * HOUR_S, {counter: 40}, {NETWORK: counter})
    ada.log_in_again()
    for each in (app, other):
        ada.grant(each)
    item(ada.account, hour, {counter: 40}, {NETWORK: counter, "nBBBBBBBB": counter})
    latchkey.clock.forward(HOUR_S + 1)
    background.every_hour()
    (event,) = (event for event in record.newest_first(ada.account.id, 50) if event.type == kinds.NEW_NETWORK)
    changed = event.changed.as_dict()
    assert (changed["application"], changed["name"], changed.get("key"), event.actor) == (
        app.id,
        "Photos",
        None,
        "watch",
    )


def test_anomaly_after_last_run_is_found_by_next(latchkey: TestApp, key: Issued) -> None:
    """A run covers the whole previous hour, so an anomaly after the last run is found by the next run."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, "nBBBBBBBB")
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]


@pytest.mark.parametrize("networks", [["nBBBBBBBB"], []])
def test_ordinary_hour_does_not_hide_previous_hour(latchkey: TestApp, key: Issued, networks: list[str]) -> None:
    """An unusual hour is found even if the hour after it is ordinary."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, *networks, requests=40 if networks else 900)
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK if networks else kinds.UNUSUAL_TRAFFIC]


@pytest.mark.parametrize(("chosen", "state", "scopes"), [("narrow", "live", {"read"}), ("revoke", "revoked", None)])
def test_policy_is_applied(latchkey: TestApp, key: Issued, chosen: str, state: str, scopes: set[str] | None) -> None:
    """A finding applies the key's policy from the next request on."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set(chosen)])
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, "nBBBBBBBB")
    background.every_hour()
    current = find.owned_key(key.key.account_id, key.key.id)
    assert current.state == state
    assert scopes is None or current.scopes == scopes


def test_recorded_finding_is_not_processed_again(latchkey: TestApp, key: Issued) -> None:
    """A finding that was recorded or dismissed isn't processed again, even after the policy was changed."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, "nBBBBBBBB")
    background.every_hour()
    noted = find.owned_key(key.key.account_id, key.key.id)
    assert noted.recent_anomaly is not None
    leak_policy.dismiss_notice(noted, noted.unusual_at or 0)
    change.change_key(key.key.account_id, key.key.id, name=None, wanted=None, on_anomaly="revoke")
    # Make one more request, so that the same hour gets a full check again.
    set_current_hour(key, "nBBBBBBBB", "nCCCCCCCC")
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    current = find.owned_key(key.key.account_id, key.key.id)
    assert (current.state, current.recent_anomaly, len(anomalies(key))) == ("live", None, 1)


def test_dismissed_finding_is_recorded_without_policy(latchkey: TestApp, key: Issued) -> None:
    """A finding that the user dismissed is recorded without applying the policy."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, "nBBBBBBBB")
    with lose_writes(kinds.NEW_NETWORK):
        background.every_hour()
    noted = find.owned_key(key.key.account_id, key.key.id)
    leak_policy.dismiss_notice(noted, noted.unusual_at or 0)
    change.change_key(key.key.account_id, key.key.id, name=None, wanted=None, on_anomaly="revoke")
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    current = find.owned_key(key.key.account_id, key.key.id)
    assert (current.state, current.recent_anomaly, len(anomalies(key))) == ("live", None, 1)


def test_many_rejections_are_recorded_without_policy(latchkey: TestApp, key: Issued) -> None:
    """Many rejected requests are recorded without applying a policy, because the limits already apply."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, refusals=300)
    background.every_hour()
    assert len(anomalies(key)) == 1
    assert find.owned_key(key.key.account_id, key.key.id).state == "live"


def test_stolen_key_is_detected_from_real_admissions(latchkey: TestApp) -> None:
    """A new network after four days of real requests from one network is detected as a stolen key."""
    account = latchkey.account()
    issued = latchkey.key(account, "read")
    for _ in range(4 * 24):
        assert latchkey.call("GET", "/v1/users/me", issued.secret, ip="203.0.113.7").status == 200
        latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert latchkey.call("GET", "/v1/users/me", issued.secret, ip="203.0.113.99").status == 200
    background.every_hour()
    assert anomalies(issued) == []
    assert latchkey.call("GET", "/v1/users/me", issued.secret, ip="198.51.100.23").status == 200
    background.every_hour()
    (found,) = anomalies(issued)
    assert (found["type"], found["key"]) == (kinds.NEW_NETWORK, issued.key.id)
    assert "198.51" not in str(found)
