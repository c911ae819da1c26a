"""Settings > API Keys: generate, list, rename, rotate and revoke keys, and remove scopes, as a user does."""

import re
from dataclasses import replace

import pytest

from chalicelib.core import settings
from chalicelib.credentials import find, scopes
from chalicelib.detection import leak_policy
from chalicelib.limits import tiers
from tests.support.console_client import ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import TestApp, error_of

NEW = "/settings/keys/new"
NO_SCOPES = f"Scopes must be a list of one or more different words of {', '.join(scopes.ALL)}."


def secret_on(page: Page) -> str:
    """Return the only secret on a page."""
    (secret,) = set(page.secrets)
    return secret


def states(console: ConsoleClient) -> list[tuple[str, str]]:
    """Return the first word of the name and the state of each key in the list, from top to bottom."""
    rows = console.open("/settings/keys").rows
    return [(row[0].split()[0], row[-1]) for row in rows if row[-1] != "State"]


def test_user_generates_a_key_and_uses_it(latchkey: TestApp) -> None:
    """The page of a new key shows the secret once; the key has the selected scopes and is listed with its preview."""
    console = log_in_as(latchkey, new_account())
    created = console.submit(NEW, name="Nightly export", scopes=["read", "write"], expiry="30 days")
    assert (created.status, created.heading) == (200, "Your new key")
    secret = secret_on(created)
    key = latchkey.call("GET", "/v1/users/me", secret)
    assert key.status == 200
    assert error_of(latchkey.call("GET", "/v1/keys", secret)) == (403, "insufficient_scope")
    row = console.open("/settings/keys").rows[1]
    assert row == [
        f"Nightly export lk_test_…{secret[-4:]}",
        "read write",
        "2021-12-20",
        "2022-01-19",
        "This hour",
        "Active",
    ]
    assert secret not in console.open("/settings/keys").html


@pytest.mark.parametrize(("expiry", "shown"), [("never", "Never"), ("7 days", "2021-12-27"), ("1 year", "2022-12-20")])
def test_key_has_the_selected_expiry(latchkey: TestApp, expiry: str, shown: str) -> None:
    """A new key has the selected expiry, for each option."""
    console = log_in_as(latchkey, new_account())
    console.submit(NEW, name="CI", expiry=expiry)
    assert console.open("/settings/keys").rows[1][3] == shown


def test_form_sent_again_makes_no_second_key(latchkey: TestApp) -> None:
    """Sending the form again creates no second key: the page says that the form was used, and a new form works."""
    account = new_account()
    console = log_in_as(latchkey, account)
    form = console.fill(console.open(NEW), NEW, {"name": "CI"})
    assert console.send(NEW, form).status == 200
    again = console.send(NEW, form)
    assert (again.status, again.problem) == (409, "This form was already submitted. Its key is in the list.")
    assert again.secrets == []
    assert len(list(find.keys_of(account.id))) == 1
    assert console.send(NEW, console.fill(again, NEW, {"name": "CI"})).status == 200
    assert len(list(find.keys_of(account.id))) == 2


def test_form_token_is_bound_to_its_account(latchkey: TestApp) -> None:
    """A form token that another account has used is still valid for the account that it was issued to."""
    one, other = log_in_as(latchkey, new_account()), log_in_as(latchkey, new_account(name="Eve"))
    ticket = one.open(NEW).value(NEW, "ticket")
    assert other.submit(NEW, name="Theirs", ticket=ticket).status == 200
    assert one.submit(NEW, name="Ours", ticket=ticket).status == 200


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": " "}, "Name must be a text of 1 to 64 characters on one line."),
        ({"name": "x" * 65}, "Name must be a text of 1 to 64 characters on one line."),
        ({"name": "a\nb"}, "Name must be a text of 1 to 64 characters on one line."),
        ({"scopes": []}, "Select at least one scope."),
        ({"scopes": ["read", "fly"]}, NO_SCOPES),
        ({"scopes": ["read", "read"]}, NO_SCOPES),
        (
            {"scopes": ["read", "admin"]},
            "scopes may contain only scopes of your own credential; it doesn't have admin.",
        ),
        ({"expiry": "1000 years"}, "Expiry must be one of never, 7 days, 30 days, 90 days, 1 year."),
        ({"expiry": ""}, "Expiry must be one of never, 7 days, 30 days, 90 days, 1 year."),
    ],
)
def test_rejected_form_keeps_its_values(latchkey: TestApp, fields: dict[str, str | list[str]], problem: str) -> None:
    """A rejected form creates no key, keeps its values and gets a new one-time token."""
    account = new_account()
    console = log_in_as(latchkey, account)
    typed: dict[str, str | list[str]] = {"name": "CI", "scopes": ["write"], "expiry": "7 days"}
    page = console.send(NEW, console.fill(console.open(NEW), NEW, typed | fields))
    assert (page.status, page.problem) == (400, problem)
    assert page.value(NEW, "name") == fields.get("name", "CI")
    if "scopes" not in fields:
        assert page.value(NEW, "scopes") == "write"
    assert list(find.keys_of(account.id)) == []


def test_scopes_of_admins_are_offered_to_admins_only(latchkey: TestApp) -> None:
    """The form offers the scopes `admin` and `verify` to admins only."""
    offered = re.findall(r'name="scopes" value="(\w+)"', log_in_as(latchkey, new_account()).open(NEW).html)
    assert offered == list(scopes.ORDINARY)
    admin = log_in_as(latchkey, new_account(admin=True))
    assert re.findall(r'name="scopes" value="(\w+)"', admin.open(NEW).html) == list(scopes.ALL)
    assert admin.submit(NEW, name="Ops", scopes=["admin"]).status == 200


def test_admin_generates_a_key_to_verify_secrets(latchkey: TestApp) -> None:
    """An admin can generate a key with only the scope `verify`, for a service."""
    admin = log_in_as(latchkey, new_account(admin=True))
    service = secret_on(admin.submit(NEW, name="Orders", scopes=["verify"]))
    verification = latchkey.call(
        "POST", "/v1/verify", service, json_body={"secret": latchkey.key(latchkey.account()).secret}
    )
    assert (verification.status, verification.json()["valid"]) == (200, True)


def test_twenty_first_key_is_rejected(latchkey: TestApp) -> None:
    """The twenty-first key is rejected with a message that explains what to do."""
    account = new_account()
    for _ in range(20):
        latchkey.key(account)
    page = log_in_as(latchkey, account).submit(NEW, name="One more")
    assert (page.status, "at most 20 active keys" in page.problem) == (409, True)


def test_key_is_renamed(latchkey: TestApp) -> None:
    """A new name is confirmed on the page, and an invalid name changes nothing."""
    account = new_account()
    console = log_in_as(latchkey, account)
    path = f"/settings/keys/{latchkey.key(account).key.id}"
    page = console.submit(f"{path}/rename", on=path, name="Web shop")
    assert page.location == f"{path}?done=renamed"
    shown = console.follow(page)
    assert (shown.heading, shown.notice) == ("Web shop", "Name changed.")
    bad = console.submit(f"{path}/rename", on=path, name="")
    assert (bad.status, bad.heading) == (400, "Web shop")


def test_scopes_are_removed_and_never_added(latchkey: TestApp) -> None:
    """A removed scope is rejected from the next request on, and scopes can't be added."""
    account = new_account()
    console = log_in_as(latchkey, account)
    key = latchkey.key(account, "read", "write")
    path = f"/settings/keys/{key.key.id}"
    assert latchkey.call("PATCH", "/v1/users/me", key.secret, json_body={"name": "Ada"}).status == 200
    page = console.submit(f"{path}/narrow", on=path, scopes=["read"])
    assert console.follow(page).notice == "Scopes removed. The change applies from the next request."
    assert error_of(latchkey.call("PATCH", "/v1/users/me", key.secret, json_body={"name": "Ada"})) == (
        403,
        "insufficient_scope",
    )
    tokens = console.token_fields(path)
    none = console.send(f"{path}/narrow", tokens)
    assert (none.status, none.problem) == (400, "Select at least one scope.")
    widened = console.send(f"{path}/narrow", {**tokens, "scopes": ["read", "write"]})
    assert (widened.status, "can only be removed" in widened.problem) == (400, True)


def test_policy_is_chosen(latchkey: TestApp) -> None:
    """A policy for unusual activity can be selected; an unknown policy is rejected."""
    account = new_account()
    console = log_in_as(latchkey, account)
    key_id = latchkey.key(account).key.id
    path = f"/settings/keys/{key_id}"
    page = console.submit(f"{path}/policy", on=path, on_anomaly="narrow")
    assert console.follow(page).notice == "Saved."
    assert find.owned_key(account.id, key_id).on_anomaly == "narrow"
    assert console.submit(f"{path}/policy", on=path, on_anomaly="panic").status == 400


def test_alert_is_dismissed(latchkey: TestApp) -> None:
    """A dismissed alert disappears from the page and the list. An alert that was raised after the page was opened
    stays.
    """
    account = new_account()
    console = log_in_as(latchkey, account)
    key_id = latchkey.key(account).key.id
    path = f"/settings/keys/{key_id}"
    leak_policy.act(account.id, key_id, why="requests from a new network")
    tokens, seen = console.token_fields(path), console.open(path).value(f"{path}/usual", "noted_at")
    latchkey.clock.forward(1)
    leak_policy.act(account.id, key_id, why="far more requests than ever")
    console.send(f"{path}/usual", {**tokens, "noted_at": seen})
    assert "far more requests than ever" in console.open("/settings/keys").text
    page = console.follow(console.submit(f"{path}/usual", on=path))
    assert page.notice == "Dismissed. We'll alert you again if it recurs."
    assert "Unusual" not in page.text + console.open("/settings/keys").text
    for rubbish in ("", "None", "soon"):
        assert console.send(f"{path}/usual", {**tokens, "noted_at": rubbish}).status == 303


def test_key_is_rotated_with_the_selected_grace(latchkey: TestApp) -> None:
    """A rotation shows the new secret once, and the old key works until the time that the page states."""
    account = new_account()
    console = log_in_as(latchkey, account)
    key = latchkey.key(account)
    latchkey.call("GET", "/v1/users/me", key.secret)
    path = f"/settings/keys/{key.key.id}"
    latchkey.clock.forward(1)
    created = console.submit(f"{path}/rotate", on=path, grace="in 1 hour")
    assert (created.status, created.heading) == (200, "Your new key")
    assert "2021-12-20 11:00 UTC" in created.text
    assert "this hour" in created.text
    assert states(console) == [("Test", "Active"), ("Test", "Rotated")]
    assert latchkey.call("GET", "/v1/users/me", secret_on(created)).status == 200
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    latchkey.clock.forward(3_600)
    assert error_of(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "token_expired")
    assert states(console) == [("Test", "Active"), ("Test", "Expired")]


def test_rotation_sent_again_makes_no_second_key(latchkey: TestApp) -> None:
    """Sending a rotation again creates no second key: the page says that the key was already rotated."""
    account = new_account()
    console = log_in_as(latchkey, account)
    path = f"/settings/keys/{latchkey.key(account).key.id}"
    form = console.fill(console.open(f"{path}/rotate"), f"{path}/rotate", {"grace": "immediately"})
    assert console.send(f"{path}/rotate", form).status == 200
    again = console.send(f"{path}/rotate", form)
    assert again.status == 409
    assert len(list(find.keys_of(account.id))) == 2
    assert console.send(f"{path}/rotate", form | {"grace": "in 100 years"}).status == 400


def test_key_is_revoked_after_a_confirmation(latchkey: TestApp) -> None:
    """A key that is revoked after a confirmation is rejected at the next request and listed as revoked."""
    account = new_account()
    console = log_in_as(latchkey, account)
    key, other = latchkey.key(account), latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    path = f"/settings/keys/{key.key.id}"
    assert f"{path}/revoke" in console.open(path).urls
    page = console.follow(console.submit(f"{path}/revoke"))
    assert (page.target, page.notice) == (
        "/settings/keys?done=revoked",
        "Key revoked. It stops working from the next request.",
    )
    assert error_of(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert latchkey.call("GET", "/v1/users/me", other.secret).status == 200
    assert states(console) == [("Test", "Active"), ("Test", "Revoked")]
    assert not [form for form in console.open(path).content.forms if "settings/keys" in form.action]


def test_keys_are_listed_newest_first_and_inactive_ones_below(latchkey: TestApp) -> None:
    """Keys are listed newest first, with active keys above all others."""
    account = new_account()
    console = log_in_as(latchkey, account)
    for name, expiry in (("First", "7 days"), ("Second", "never"), ("Third", "90 days")):
        console.submit(NEW, name=name, expiry=expiry)
        latchkey.clock.forward(60)
    latchkey.clock.forward(8 * 86_400)
    assert states(log_in_as(latchkey, account)) == [("Third", "Active"), ("Second", "Active"), ("First", "Expired")]


def test_last_use_is_shown_in_words(latchkey: TestApp) -> None:
    """The last use of a key is shown as "never", "this hour", or a number of hours or days ago."""
    account = new_account()
    key = latchkey.key(account)
    shown = []
    for forward_s in (0, 0, 3_600 * 5, 86_400 * 3):
        latchkey.clock.forward(forward_s)
        shown.append(log_in_as(latchkey, account).open("/settings/keys").rows[1][4])
        if len(shown) == 1:
            latchkey.call("GET", "/v1/users/me", key.secret)
    assert shown == ["Never", "This hour", "5 hours ago", "3 days ago"]


def test_use_before_the_oldest_counter_is_not_shown_as_never(latchkey: TestApp) -> None:
    """If a key is older than all stored counters, the pages say that it wasn't used in 31 days, instead of never."""
    account = new_account()
    path = f"/settings/keys/{latchkey.key(account).key.id}"
    console = log_in_as(latchkey, account)
    assert "It was never used." in console.open(f"{path}/revoke").text
    latchkey.clock.forward(31 * 86_400)
    console = log_in_as(latchkey, account)
    assert console.open("/settings/keys").rows[1][4] == "Not in 31 days"
    assert "It was not used in 31 days." in console.open(f"{path}/revoke").text
    assert "Never" not in console.open(path).text.partition("Last used")[2].partition("Rotate")[0]


@pytest.mark.parametrize("configured", [True, False])
def test_unverified_address_generates_no_key_where_email_is_sent(latchkey: TestApp, configured: bool) -> None:
    """If email is configured, keys can be generated only with a verified address."""
    account = new_account(verified=False)
    key = latchkey.key(account)
    console = log_in_as(latchkey, account)
    form = console.fill(console.open(NEW), NEW, {"name": "CI"})
    with settings.override(replace(settings.current(), mail_from="keys@example.com" if configured else "")):
        shown, sent = console.open(NEW), console.send(NEW, form)
        created = latchkey.call("POST", "/v1/keys", key.secret, json_body={"name": "CI", "scopes": ["read"]})
        assert ("Confirm your email address" in console.open("/settings/keys").text) is configured
        assert [shown.status, sent.status, created.status] == ([409, 409, 409] if configured else [200, 200, 201])
        if configured:
            assert (
                created.json()["message"] == "Confirm your email address first. Request a link in Settings > Profile."
            )
            assert latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", key.secret).status == 201


def test_key_made_here_is_no_stronger_than_its_account(latchkey: TestApp) -> None:
    """A key generated in the console has the tier of its account."""
    console = log_in_as(latchkey, new_account(tier=tiers.PRO))
    secret = secret_on(console.submit(NEW, name="CI"))
    assert latchkey.call("GET", "/v1/limits", secret).json()["tier"] == "pro"


@pytest.mark.parametrize(
    ("scope", "path"),
    [("read", "users/me"), ("keys", "keys"), ("events", "events"), ("webhooks", "webhooks"), ("write", None)],
)
def test_example_command_of_a_new_key_works(latchkey: TestApp, scope: str, path: str | None) -> None:
    """The example command on the page of a new key works."""
    console = log_in_as(latchkey, new_account())
    page = console.submit("/settings/keys/new", name="One", scopes=[scope])
    assert ("Try it" in page.text) is (path is not None)
    if path is not None:
        assert f"/v1/{path} " in page.text
        assert latchkey.call("GET", f"/v1/{path}", secret_on(page)).status == 200
