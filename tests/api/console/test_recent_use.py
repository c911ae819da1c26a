"""Settings > API Keys shows a key's recorded use, and preselects used scopes only if the record is complete."""

from chalicelib.limits import recorded_usage, tiers
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import TestApp

DAY_S = 86_400


def test_used_routes_are_shown_and_used_scopes_are_preselected(latchkey: TestApp) -> None:
    """The page shows used routes and preselects used scopes; the list of keys has a hint to remove the others."""
    account = new_account()
    issued = latchkey.key(account)
    path = f"/settings/keys/{issued.key.id}"
    latchkey.clock.forward(8 * DAY_S)
    latchkey.call("GET", "/v1/limits", issued.secret)
    console = log_in_as(latchkey, account)
    html = console.open(path).html
    assert "<code>GET /v1/limits</code>" in html
    assert "Only the scopes that it used in the last 30 days are selected" in html
    assert 'value="read" checked' in html
    assert 'value="write" checked' not in html
    assert "2 unused in 30 days" in console.open("/settings/keys").html


def test_new_key_keeps_all_scopes_selected(latchkey: TestApp) -> None:
    """A new key keeps all scopes selected, and the page says that a weekly job, for example, may not have run yet."""
    account = new_account()
    issued = latchkey.key(account)
    latchkey.call("GET", "/v1/limits", issued.secret)
    console = log_in_as(latchkey, account)
    html = console.open(f"/settings/keys/{issued.key.id}").html
    assert "This list may be incomplete" in html
    assert 'value="write" checked' in html
    assert "unused in 30 days" not in console.open("/settings/keys").html


def test_use_without_a_recorded_route_keeps_all_scopes_selected(latchkey: TestApp) -> None:
    """Use without a recorded route, by a service that verifies the key, keeps all scopes selected."""
    account = new_account()
    issued = latchkey.key(account)
    latchkey.clock.forward(8 * DAY_S)
    latchkey.call("GET", "/v1/limits", issued.secret)
    latchkey.clock.forward(3_600)
    latchkey.set_counters(account.id, tiers.FREE, **{"used": 1, f"k{issued.key.id[-7:]}": 1})
    html = log_in_as(latchkey, account).open(f"/settings/keys/{issued.key.id}").html
    assert "This list may be incomplete" in html


def test_hour_with_more_routes_than_are_recorded_makes_the_record_incomplete(latchkey: TestApp) -> None:
    """An hour with more routes than can be recorded makes the record incomplete, and the page says so."""
    account = new_account()
    issued = latchkey.key(account)
    latchkey.clock.forward(8 * DAY_S)
    latchkey.call("GET", "/v1/limits", issued.secret)
    latchkey.set_counters(account.id, tiers.FREE, **{recorded_usage.ROUTES_OTHER: 1})
    html = log_in_as(latchkey, account).open(f"/settings/keys/{issued.key.id}").html
    assert "used in an hour when your keys used more routes than are recorded" in html
