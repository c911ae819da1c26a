"""Opening the page of a one-time link doesn't consume the link; only its button does."""

import pytest

from chalicelib.accounts import email_links, sessions
from chalicelib.accounts.tables import User
from chalicelib.credentials import find
from tests.support.console_client import ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp, error_of
from tests.support.mailbox import Mailbox

OTHER = "harmonica wolverine custard"


@pytest.mark.parametrize(
    ("path", "purpose"), [("/verify", email_links.VERIFY_EMAIL), ("/password", email_links.SET_PASSWORD)]
)
def test_opening_a_link_does_not_consume_it(latchkey: TestApp, path: str, purpose: str) -> None:
    """Opening a link, as mail scanners do, doesn't consume it; its button works once."""
    account = new_account()
    ticket = email_links.new_link(account.user_id, purpose, email=account.email, epoch=account.user.session_epoch)
    target = f"{path}?ticket={ticket}"
    for _ in range(10):
        assert ConsoleClient(latchkey).open(target).status == 200
    console = ConsoleClient(latchkey)
    form = console.fill(console.open(target), path, {"password": OTHER} if path == "/password" else {})
    assert console.send(path, form).status == 303
    assert console.send(path, form).status == 410
    assert console.open(target).status == 410


def test_used_link_explains_what_to_do(latchkey: TestApp) -> None:
    """The page of a used link explains possible reasons and the next step."""
    page = ConsoleClient(latchkey).open("/verify?ticket=nonsense")
    assert (page.status, page.heading) == (410, "Link no longer valid")
    assert "Request a new one." in page.text


def test_rejected_password_does_not_consume_the_link(latchkey: TestApp) -> None:
    """After a rejected password the same link accepts another password."""
    account = new_account()
    console = ConsoleClient(latchkey)
    ticket = email_links.new_link(
        account.user_id, email_links.SET_PASSWORD, email=account.email, epoch=account.user.session_epoch
    )
    for bad in ("short", "passwordpassword", account.email):
        page = console.submit(f"/password?ticket={ticket}", password=bad)
        assert (page.status, page.problem != "") == (400, True)
        assert bad not in page.html or bad == account.email
    assert console.send("/password", console.fill(page, "/password", {"password": OTHER})).status == 303


def test_first_password_sends_no_email(latchkey: TestApp, box: Mailbox) -> None:
    """Setting the first password of an account sends no email about a changed password."""
    admin = latchkey.key(new_account(admin=True), "admin")
    created = latchkey.call("POST", "/v1/accounts", admin.secret, json_body={"email": "ada@example.com", "name": "Ada"})
    target = created.json()["set_password_url"].removeprefix("https://api.example.com")
    assert ConsoleClient(latchkey).submit(target, password=OTHER).status == 303
    assert box.take() == []
    assert User.get(created.json()["owner_id"]).email_verified_at is None
    assert ConsoleClient(latchkey).log_in("ada@example.com", OTHER).status == 303


@pytest.mark.parametrize("how", ["verify", "reset", "change_email"])
def test_keys_from_before_the_first_verification_are_shown_as_revoked(latchkey: TestApp, how: str) -> None:
    """Keys that were created before the first verification are rejected, and console, API and admin pages show them as
    revoked.
    """
    account = new_account(verified=False)
    old = latchkey.key(account)
    squatter = log_in_as(latchkey, account)
    assert latchkey.call("GET", "/v1/users/me", old.secret).status == 200
    latchkey.clock.forward(60)
    links_of = {
        "verify": (
            "/verify",
            email_links.new_link(
                account.user_id, email_links.VERIFY_EMAIL, email=account.email, epoch=account.user.session_epoch
            ),
        ),
        "reset": (
            "/password",
            email_links.new_link(account.user_id, email_links.SET_PASSWORD, email=account.email, epoch=0),
        ),
        "change_email": (
            "/verify",
            email_links.new_link(account.user_id, email_links.CHANGE_EMAIL, email="new@example.com", epoch=0),
        ),
    }
    path, ticket = links_of[how]
    browser = log_in_as(latchkey, account) if how == "change_email" else ConsoleClient(latchkey)
    fields = {} if how == "change_email" else {"password": OTHER}
    assert browser.submit(f"{path}?ticket={ticket}", **fields).status == 303
    assert error_of(latchkey.call("GET", "/v1/users/me", old.secret)) == (401, "invalid_api_key")
    assert sessions.session_of(squatter.session) is None

    owner = account.reload()
    inside = log_in_as(latchkey, owner)
    assert [row[-1] for row in inside.open("/settings/keys").rows] == ["State", "Revoked"]
    new = latchkey.key(owner)
    listed = latchkey.call("GET", "/v1/keys", new.secret).json()["data"]
    assert {key["id"]: key["state"] for key in listed} == {old.key.id: "revoked", new.key.id: "live"}
    admin = log_in_as(latchkey, new_account(admin=True))
    states = [row[-1] for row in admin.open(f"/admin/accounts/{account.id}").rows]
    assert states[states.index("State") :][:3] == ["State", "Revoked", "Active"]
    assert error_of(latchkey.call("POST", f"/v1/keys/{old.key.id}/rotate", new.secret)) == (409, "conflict")


def test_revoked_keys_do_not_count_towards_the_limit(latchkey: TestApp) -> None:
    """After the first verification the account can have twenty new keys."""
    account = new_account(verified=False)
    for _ in range(20):
        latchkey.key(account)
    latchkey.clock.forward(60)
    ticket = email_links.new_link(
        account.user_id, email_links.VERIFY_EMAIL, email=account.email, epoch=account.user.session_epoch
    )
    target = f"/verify?ticket={ticket}"
    assert ConsoleClient(latchkey).submit(target, password=OTHER).status == 303
    owner = account.reload()
    for _ in range(20):
        latchkey.key(owner)
    live = [key for key in find.keys_of(account.id) if key.is_live()]
    assert len(live) == len(owner.account.live_keys.attribute_values) + 20


def test_verified_user_generates_a_key_immediately(latchkey: TestApp) -> None:
    """A key that is generated right after the first verification is valid."""
    account = new_account(verified=False)
    ticket = email_links.new_link(
        account.user_id, email_links.VERIFY_EMAIL, email=account.email, epoch=account.user.session_epoch
    )
    target = f"/verify?ticket={ticket}"
    assert ConsoleClient(latchkey).submit(target, password=OTHER).status == 303
    console = ConsoleClient(latchkey)
    console.log_in(account.email, OTHER)
    created = console.submit("/settings/keys/new", name="CI", scopes=["read", "keys"])
    secret = created.secrets[0]
    assert latchkey.call("GET", "/v1/users/me", secret).status == 200
    body = {"name": "By API", "scopes": ["read"]}
    assert latchkey.call("POST", "/v1/keys", secret, json_body=body).status == 201
