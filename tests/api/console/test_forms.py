"""Forms are accepted only from a page of the console, and every submitted body gets a page as its response."""

import json
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from tests.api.console.places import FORMS, SHOWN, create_place
from tests.support import exhaustive
from tests.support.console_client import ORIGIN, PASSWORD, ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import TestApp
from tests.support.malformed_input import MALFORMED

FOREIGN = (
    "https://evil.example.net",
    "http://api.example.com",
    "https://api.example.com:8443",
    "https://api.example.com.evil.example.net",
    "https://evil-api.example.com",
    "https://sub.api.example.com",
    f"{ORIGIN}/",
    "null",
    "",
)
SLOW = (
    *("/login", "/signup", "/password", "/settings/account/delete"),
    *(f"/settings/profile/{deed}" for deed in ("email", "password", "delete")),
)
"""The paths of forms that hash a password."""
NAMES = (
    *("csrf", "email", "name", "password", "new_password", "next", "ticket", "scopes", "expiry", "grace", "tier"),
    *("reason", "client_id", "redirect_uris", "decision", "user_code", "find", "after", "before", "done", "open"),
)


def everything() -> str:
    """Return all stored items, except counters and the times of last use."""
    chosen = settings.current()
    names = [name for name in dynamodb.call("ListTables", {})["TableNames"] if name != chosen.table("windows")]
    items: dict[str, Any] = {name: dynamodb.call("Scan", {"TableName": name})["Items"] for name in names}
    for item in items[chosen.table("sessions")]:
        del item["seen_at"]
    return json.dumps(items, sort_keys=True)


def test_form_without_this_browsers_token_is_rejected(latchkey: TestApp) -> None:
    """A form with any CSRF token but this browser's deletes no account and revokes no key."""
    site = create_place(latchkey)
    tokens = site.console.token_fields()
    own = tokens["csrf"]
    wrong: dict[str, list[str]] = {
        "missing": [],
        "empty": [""],
        "wrong": ["0" * 32],
        "in other letters": [own.upper()],
        "another browser's": [log_in_as(latchkey, new_account(name="Eve")).token_fields()["csrf"]],
        "an anonymous browser's": [ConsoleClient(latchkey).token_fields("/login")["csrf"]],
        "overwritten": [own, "0" * 32],
    }
    before = everything()
    for what, tried in wrong.items():
        for route in ("/settings/account/delete", "/settings/keys/{key_id}/revoke"):
            fields = {"password": PASSWORD, "account": tokens["account"], "csrf": tried}
            page = site.console.send(site.path(route), fields)
            assert page.status == 403, (what, route)
            assert "This page has expired." in page.problem
            assert PASSWORD not in page.html
    assert everything() == before


def test_form_from_another_origin_is_rejected(latchkey: TestApp) -> None:
    """A form with another Origin but a valid token changes nothing."""
    site = create_place(latchkey)
    before = everything()
    fields = {**site.console.token_fields(), "password": PASSWORD}
    for origin in (*FOREIGN, None):
        page = site.console.send("/settings/account/delete", fields, origin=origin)
        assert page.status == 403, origin
    assert everything() == before


def test_every_form_needs_token_and_origin(latchkey: TestApp) -> None:
    """No form of the console changes anything without the token or with another Origin."""
    site = create_place(latchkey)
    fields = {"password": PASSWORD, "reason": "because"}
    signed = fields | site.console.token_fields()
    before = everything()
    for route in FORMS:
        latchkey.clock.forward(1)
        target = site.path(route)
        assert site.console.send(target, fields).status == 403, route
        assert site.console.send(target, signed, origin=FOREIGN[0]).status == 403, route
    assert everything() == before


def test_form_sent_by_get_changes_nothing(latchkey: TestApp) -> None:
    """A form that is sent by GET changes nothing, because any link or image can cause a GET."""
    site = create_place(latchkey)
    fields = urlencode({**site.console.token_fields(), "password": PASSWORD, "reason": "because", "name": "Eve"})
    before = everything()
    for route in FORMS:
        latchkey.clock.forward(1)
        response = latchkey.call("GET", f"{site.path(route).partition('?')[0]}?{fields}")
        assert response.status in (200, 303, 404, 410, 400), route
    assert everything() == before


def test_token_is_bound_to_its_session(latchkey: TestApp) -> None:
    """A form that was open before a new log-in is rejected, because its token belongs to the earlier session."""
    account = new_account()
    console = ConsoleClient(latchkey)
    before = console.token_fields("/login")
    console.log_in(account.email)
    assert console.token_fields("/settings/profile")["csrf"] != before["csrf"]
    assert console.send("/settings/profile/name", {**before, "name": "Eve"}).status == 403


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_form_of_another_media_type_is_rejected(latchkey: TestApp, kind: str) -> None:
    """A form sent as text/plain or multipart, which other sites can send without a preflight, is rejected."""
    console = log_in_as(latchkey, new_account())
    cookie = f"__Host-latchkey={console.session}"
    headers = {"Cookie": cookie, "Origin": ORIGIN} | ({"Content-Type": kind} if kind else {})
    body = urlencode({**console.token_fields(), "name": "Eve"}).encode()
    response = latchkey.gateway.handle("POST", "/settings/account/name", headers.items(), body)
    assert response.status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"name=%ff%fe",
        b"name=%ed%a0%80",
        b"name=" + b"x" * 1_000_000,
        b"&".join(b"f%d=1" % number for number in range(10_000)),
        b"&".join(b"f=1" for _ in range(101)),
        b"=&=&&;&%&%zz",
        b"\x00",
        b"{}",
    ],
    ids=["no_utf8", "surrogate", "one_mb", "10000_fields", "101_fields", "punctuation", "nul", "json"],
)
def test_malformed_form_gets_an_error_page(latchkey: TestApp, body: bytes) -> None:
    """Any malformed body gets a page with an error message."""
    console = log_in_as(latchkey, new_account())
    tokens = urlencode(console.token_fields()).encode()
    page = console.send("/settings/account/name", {}, body=body + b"&" + tokens)
    assert page.status in (400, 403, 413)
    assert page.problem or page.heading == "Invalid request"


def test_form_of_64_kb_is_accepted(latchkey: TestApp) -> None:
    """A form of 64 KB is read, and an error is shown at the invalid field."""
    console = log_in_as(latchkey, new_account())
    page = console.submit("/settings/account/name", on="/settings/account", name="x" * 60_000)
    assert (page.status, page.problem) == (400, "Name must be a text of 1 to 100 characters on one line.")


def test_form_of_70_kb_is_too_long_and_keeps_its_values(latchkey: TestApp) -> None:
    """A form of 70 KB is rejected as too long, changes nothing, and keeps its values."""
    console = log_in_as(latchkey, new_account())
    page = console.submit("/settings/account/name", on="/settings/account", name="x" * 70_000)
    assert (page.status, "This form is too long" in page.html) == (413, True)
    assert "x" * 70_000 in page.html


def test_form_of_120_fields_is_rejected(latchkey: TestApp) -> None:
    """A form of 120 fields is rejected with a message that states the limit."""
    console = log_in_as(latchkey, new_account())
    page = console.send("/settings/account/name", {f"f{number}": "1" for number in range(120)})
    assert (page.status, "at most 100 fields" in page.html, "UTF-8" in page.html) == (400, True, False)


def assert_rendered(page: Page) -> None:
    """Assert that a page was rendered without a server error."""
    assert page.status < 500, (page.target, page.status, page.text)


_values = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            "read",
            "admin",
            "never",
            "immediately",
            "free",
            "00000000",
            "/settings",
            "//evil.example.net",
            "a@example.com",
            "-1",
            *MALFORMED.values(),
        ]
    ),
)
_fields = st.dictionaries(st.sampled_from(NAMES), st.one_of(_values, st.lists(_values, max_size=3)), max_size=8)


@pytest.mark.parametrize("route", FORMS)
def test_any_form_gets_a_page(latchkey: TestApp, route: str) -> None:
    """No combination of field values causes a server error.

    `tests/api/test_every_parameter.py` tests each parameter separately.
    """
    site = create_place(latchkey)
    target = site.path(route).partition("?")[0]
    inside = dict(site.console.cookies)
    tokens = site.console.token_fields()

    @trying(max_examples=1 if route in SLOW else 3, deadline=None)
    @given(fields=_fields, with_ticket=st.booleans())
    def attempt(fields: dict[str, Any], with_ticket: bool) -> None:
        latchkey.clock.forward(1)
        site.console.cookies = dict(inside)
        ticket = {"ticket": site.tickets.get(target, "")} if with_ticket else {}
        text = {name: _replace_surrogates(value) for name, value in (fields | ticket | tokens).items()}
        assert_rendered(site.console.send(target, text))

    attempt()


@trying(
    max_examples=exhaustive.examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    route=st.sampled_from(SHOWN),
    inside=st.booleans(),
    query=st.dictionaries(st.sampled_from((*NAMES, "limit", "é")), _values, max_size=5),
    last=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/?#%"), min_size=1, max_size=30),
)
def test_any_query_and_path_gets_a_page(
    latchkey: TestApp, route: str, inside: bool, query: dict[str, str], last: str
) -> None:
    """No path or query causes a server error."""
    latchkey.clock.forward(1)
    path = re.sub(r"\{\w+\}", quote(last), route)
    console = log_in_as(latchkey, new_account(admin=True)) if inside else ConsoleClient(latchkey)
    assert_rendered(
        console.open(f"{path}?{urlencode({name: _replace_surrogates(value) for name, value in query.items()})}")
    )


def _replace_surrogates(value: Any) -> Any:
    """Return the values with lone surrogates replaced, because a request body can't contain lone surrogates."""
    if isinstance(value, list):
        return [_replace_surrogates(one) for one in value]
    return value.encode("utf-8", "replace").decode()
