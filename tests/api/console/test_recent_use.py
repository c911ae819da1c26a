"""Settings > API Keys shows a key's recorded use, and preselects used scopes only if the record is complete."""

from chalicelib.limits import recorded_usage, tiers
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import TestApp

DAY_S = 86_400


def test_used_routes_are_shown_and_used_scopes_are_preselected(latchkey: TestApp) -> None:
    """The page shows the routes that a key used, and preselects their scopes."""
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
    """All scopes of a new key are selected, because some jobs may not have run yet."""
    account = new_account()
    issued = latchkey.key(account)
    latchkey.call("GET", "/v1/limits", issued.secret)
    console = log_in_as(latchkey, account)
    html = console.open(f"/settings/keys/{issued.key.id}").html
    assert "This list may be incomplete" in html
    assert 'value="write" checked' in html
    assert "unused in 30 days" not in console.open("/settings/keys").html


def test_use_without_a_recorded_route_keeps_all_scopes_selected(latchkey: TestApp) -> None:
    """All scopes stay selected if the key was used through /v1/verify, which records no route."""
    account = new_account()
    issued = latchkey.key(account)
    latchkey.clock.forward(8 * DAY_S)
    latchkey.call("GET", "/v1/limits", issued.secret)
    latchkey.clock.forward(3_600)
    latchkey.set_counters(account.id, tiers.FREE, **{"used": 1, f"k{issued.key.id[-7:]}": 1})
    html = log_in_as(latchkey, account).open(f"/settings/keys/{issued.key.id}").html
    assert "This list may be incomplete" in html


def test_hour_with_more_routes_than_are_recorded_makes_the_record_incomplete(latchkey: TestApp) -> None:
    """If an hour had more routes than are recorded, the page says that the record is incomplete."""
    account = new_account()
    issued = latchkey.key(account)
    latchkey.clock.forward(8 * DAY_S)
    latchkey.call("GET", "/v1/limits", issued.secret)
    latchkey.set_counters(account.id, tiers.FREE, **{recorded_usage.ROUTES_OTHER: 1})
    html = log_in_as(latchkey, account).open(f"/settings/keys/{issued.key.id}").html
    assert "used in an hour when your keys used more routes than are recorded" in html
