"""Settings > API Keys says what a key used, and offers the narrower key only where the record is complete."""

from chalicelib.limits import recorded_usage, tiers
from tests.support.console_client import logged_in, person
from tests.support.harness import TestApp

DAY_S = 86_400


def test_page_of_a_key_shows_what_it_used_and_chooses_that(latchkey: TestApp) -> None:
    """Routes and scopes in words, the narrower choice made, a hint in the list; the form narrows the key."""
    account = person()
    issued = latchkey.key(account)
    path = f"/settings/keys/{issued.key.id}"
    latchkey.clock.forward(8 * DAY_S)
    latchkey.call("GET", "/v1/limits", issued.secret)
    console = logged_in(latchkey, account)
    html = console.open(path).html
    assert "<code>GET /v1/limits</code>" in html
    assert "Only the scopes that it used in the last 30 days are selected" in html
    assert 'value="read" checked' in html
    assert 'value="write" checked' not in html
    assert "2 unused in 30 days" in console.open("/settings/keys").html


def test_young_key_is_promised_nothing(latchkey: TestApp) -> None:
    """A weekly job may not have had its turn yet: everything stays chosen, and the page says why."""
    account = person()
    issued = latchkey.key(account)
    latchkey.call("GET", "/v1/limits", issued.secret)
    console = logged_in(latchkey, account)
    html = console.open(f"/settings/keys/{issued.key.id}").html
    assert "This list may be incomplete" in html
    assert 'value="write" checked' in html
    assert "not used in 30 days" not in console.open("/settings/keys").html


def test_key_whose_hour_names_no_route_is_promised_nothing(latchkey: TestApp) -> None:
    """A service that asks about a key says nothing of routes."""
    account = person()
    issued = latchkey.key(account)
    latchkey.clock.forward(8 * DAY_S)
    latchkey.call("GET", "/v1/limits", issued.secret)
    latchkey.clock.forward(3_600)
    latchkey.counted(account.id, tiers.FREE, **{"used": 1, f"k{issued.key.id[-7:]}": 1})
    html = logged_in(latchkey, account).open(f"/settings/keys/{issued.key.id}").html
    assert "This list may be incomplete" in html


def test_hour_with_more_routes_than_are_recorded_is_a_reason(latchkey: TestApp) -> None:
    """The page names it among what may make the record incomplete."""
    account = person()
    issued = latchkey.key(account)
    latchkey.clock.forward(8 * DAY_S)
    latchkey.call("GET", "/v1/limits", issued.secret)
    latchkey.counted(account.id, tiers.FREE, **{recorded_usage.ROUTES_OTHER: 1})
    html = logged_in(latchkey, account).open(f"/settings/keys/{issued.key.id}").html
    assert "used in an hour when your keys used more routes than are recorded" in html
