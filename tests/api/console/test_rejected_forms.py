"""A rejected form keeps its values, except passwords, and shows its error at the field."""

import re

import pytest

from chalicelib.accounts.tables import Account
from tests.api.console.places import create_failed_delivery
from tests.support.console_client import PASSWORD, ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import TestApp

pytestmark = pytest.mark.usefixtures("box")

TYPED = "Countess <of> Lovelace"
REFUSED = {
    "sign-up": ("/signup", "/signup", {"email": "no address", "name": TYPED, "password": PASSWORD}, "email"),
    "sign-up's name": ("/signup", "/signup", {"email": "a@example.com", "name": " ", "password": PASSWORD}, "name"),
    "sign-up's password": (
        "/signup",
        "/signup",
        {"email": "a@example.com", "name": TYPED, "password": "x"},
        "password",
    ),
    "forgotten password": ("/forgot", "/forgot", {"email": "no address"}, "email"),
    "account's name": ("/settings/account", "/settings/account/name", {"name": "x" * 101}, "name"),
    "user's email": (
        "/settings/profile",
        "/settings/profile/email",
        {"email": "no address", "password": PASSWORD},
        "email",
    ),
    "user's email, password": (
        "/settings/profile",
        "/settings/profile/email",
        {"email": "new@example.com", "password": "wrong password"},
        "email-password",
    ),
    "user's password": (
        "/settings/profile",
        "/settings/profile/password",
        {"password": PASSWORD, "new_password": "short"},
        "new_password",
    ),
    "user's name": ("/settings/profile", "/settings/profile/name", {"name": "x" * 101}, "name"),
    "new account": ("/settings/accounts", "/settings/accounts/new", {"name": "x" * 101}, "name"),
    "account deleted": ("/settings/account", "/settings/account/delete", {"password": "wrong one"}, "delete-password"),
    "new key": ("/settings/keys/new", "/settings/keys/new", {"name": "x" * 65, "expiry": "7 days"}, "name"),
    "key's name": ("/settings/keys/{key}", "/settings/keys/{key}/rename", {"name": "x" * 65}, "name"),
    "new application": (
        "/settings/applications/new",
        "/settings/applications/new",
        {"name": TYPED, "redirect_uris": "not a URI", "kind": "public"},
        "redirect_uris",
    ),
    "new webhook": ("/settings/webhooks/new", "/settings/webhooks/new", {"name": TYPED, "url": "ftp://x"}, "url"),
    "webhook": (
        "/settings/webhooks/{webhook}",
        "/settings/webhooks/{webhook}/change",
        {"name": TYPED, "url": "no"},
        "url",
    ),
    "tier": (
        "/admin/accounts/{account}",
        "/admin/accounts/{account}/tier",
        {"tier": "pro", "reason": "x"},
        "tier-reason",
    ),
    "suspension": ("/admin/accounts/{other}/suspend",) * 2 + ({"reason": "x"}, "reason"),
    "device": ("/device?user_code=no-such",) * 2 + ({}, "user_code"),
}
"""For each form: its page, the path that it is sent to, the values, and the id of the invalid field."""


def rejected_page(latchkey: TestApp, what: str) -> tuple[Page, dict[str, str], str]:
    """Return the page of a rejected form, the submitted values and the id of the invalid field."""
    account = new_account(admin=True)
    names = {
        "account": account.id,
        "other": new_account(name="Bob").id,
        "key": latchkey.key(account).key.id,
        "webhook": create_failed_delivery(account).endpoint_id,
    }
    stands, sent, typed, wrong = REFUSED[what]
    outside = stands in ("/signup", "/forgot")
    console = ConsoleClient(latchkey) if outside else log_in_as(latchkey, account)
    if stands.startswith("/device"):
        return console.open(stands), {"user_code": "no-such"}, wrong
    return console.submit(sent.format(**names), on=stands.format(**names), **typed), typed, wrong


def tag_of(page: Page, field_id: str) -> str:
    """Return the tag of the field with this id."""
    found = re.search(rf'<(?:input|textarea|select)[^>]*\bid="{field_id}"[^>]*>', page.html)
    assert found, field_id
    return found[0]


@pytest.mark.parametrize("what", REFUSED)
def test_error_is_shown_at_its_field(latchkey: TestApp, what: str) -> None:
    """The invalid field is marked, has the focus, and is described by the error, which starts with a capital letter."""
    page, _, wrong = rejected_page(latchkey, what)
    assert page.status in (400, 404)
    tag = tag_of(page, wrong)
    assert 'aria-invalid="true"' in tag
    assert " autofocus" in tag
    assert f'aria-describedby="{wrong}-error' in tag
    (error,) = re.findall(rf'<p class="error" id="{wrong}-error" role="alert">.*?<span>(.*?)</span></p>', page.html)
    assert error[0].isupper()
    assert page.html.count("aria-invalid") == 1
    assert page.html.count(" autofocus") == 1


@pytest.mark.parametrize("what", REFUSED)
def test_values_are_kept(latchkey: TestApp, what: str) -> None:
    """Every field of a rejected form keeps its value, except passwords."""
    page, typed, _ = rejected_page(latchkey, what)
    _, sent, _, _ = REFUSED[what]
    for name, value in typed.items():
        if "password" in name:
            assert value not in page.html.replace("password", "") or value in ("x", "short")
            continue
        escaped = value.replace("<", "&lt;").replace(">", "&gt;")
        assert f'value="{escaped}"' in page.html or f">{escaped}</textarea>" in page.html, (name, sent)
    assert f'value="{PASSWORD}"' not in page.html


def test_selected_scopes_and_options_are_kept(latchkey: TestApp) -> None:
    """Checkboxes and lists of a rejected form keep their selection."""
    console = log_in_as(latchkey, new_account())
    page = console.submit("/settings/keys/new", name="", scopes=["write", "keys"], expiry="1 year")
    assert [value for name, value in page.form("/settings/keys/new").fields if name == "scopes"] == ["write", "keys"]
    assert page.value("/settings/keys/new", "expiry") == "1 year"


def test_expired_form_keeps_its_values(latchkey: TestApp) -> None:
    """A form that has expired keeps its values, except passwords."""
    console = ConsoleClient(latchkey)
    fields = console.fill(console.open("/signup"), "/signup", {"email": "a@example.com", "name": "Ada"})
    console.cookies.clear()
    page = console.send("/signup", fields)
    assert (page.status, "has expired" in page.problem) == (403, True)
    assert page.value("/signup", "email") == "a@example.com"
    assert console.send("/signup", console.fill(page, "/signup", {"password": PASSWORD})).status == 200


def test_error_of_a_missing_form_is_shown_at_the_top(latchkey: TestApp) -> None:
    """If the page no longer has the form, the error is shown at the top of the page."""
    account = new_account()
    console, path = log_in_as(latchkey, new_account(name="Root", admin=True)), f"/admin/accounts/{account.id}"
    tokens = console.token_fields(path)
    page = console.send(f"{path}/reinstate", {**tokens, "reason": "x"})
    assert (page.status, page.problem) == (400, "Reason must be a text of 3 to 200 characters on one line.")
    assert Account.get(account.id).status == "active"
