"""A developer's path through the console, from sign-up to a revoked key, with requests by that key."""

import re

import pytest
import requests
from playwright.sync_api import Error, Locator, Page, expect

from chalicelib.core import randomness
from tests.browser import axe
from tests.browser.browser_users import NARROW, WIDE, BrowserUsers, Profiles
from tests.browser.console import PASSWORD, Console, served
from tests.browser.input_methods import InputMethod, Keyboard, Mouse

pytestmark = pytest.mark.xdist_group("browser")

SECRET = re.compile(r"lk_test_[0-9A-Za-z]{36}")


@pytest.fixture(params=["mouse", "360 px", "keyboard", "no JavaScript"])
def user(request: pytest.FixtureRequest, users: BrowserUsers) -> InputMethod:
    """A new user with one of four input methods."""
    if request.param == "keyboard":
        return Keyboard(users.anonymous())
    width = NARROW if request.param == "360 px" else WIDE
    return Mouse(users.anonymous(width=width, javascript=request.param != "no JavaScript"))


def test_developer_gets_uses_rotates_and_revokes_a_key(
    user: InputMethod, console: Console, request: pytest.FixtureRequest
) -> None:
    """The guide's steps work by mouse, at a width of 360 px, by keyboard and without JavaScript."""
    page = user.page
    _sign_up(user, console, f"dev.{randomness.base62(8).lower()}@example.com")

    expect(page.get_by_role("heading", name="No keys yet")).to_be_visible()
    user.follow("Generate New Key")
    user.fill("Name", "Nightly export")
    user.tick("Write")
    user.press("Generate key")
    first = _copy_secret(user, javascript="no JavaScript" not in request.node.name)
    assert [console.status(first) for _ in range(3)] == [200, 200, 200]

    _go_to(user, "Usage")
    expect(page.locator(".tile").first).to_contain_text("3 of 1,000")
    expect(page.get_by_role("row", name="Nightly export").last).to_contain_text("3")
    expect(page.get_by_role("img", name="Last 24 hours: 3 admitted, 0 rejected.")).to_be_visible()

    _go_to(user, "API Keys")
    user.follow("Nightly export")
    user.follow("Rotate…")
    user.press("Rotate key")
    second = _secret_on_page(page)
    expect(page.get_by_role("main")).to_contain_text("It was last used this hour.")
    assert first != second
    assert (console.status(first), console.status(second)) == (200, 200)

    user.follow("I have stored it")
    expect(page.get_by_role("row").filter(has_text=first[-4:])).to_contain_text("Rotated")
    user.follow("Nightly export")  # the newer of the two keys is listed first
    expect(page.get_by_role("main")).to_contain_text(second[-4:])
    user.follow("Revoke…")
    user.press("Revoke key")
    expect(page.get_by_role("status")).to_have_text("Key revoked. It stops working from the next request.")
    expect(page.get_by_role("table", name="Inactive keys")).to_contain_text(second[-4:])
    assert (console.status(first), console.status(second)) == (200, 401)


def test_reload_of_a_new_key_makes_no_second_one(users: BrowserUsers, console: Console) -> None:
    """Reloading the page of a new key creates no second key. The reloaded page says that the form was already used, and
    doesn't show the secret.
    """
    page = users.logged_in(console.user())
    page.goto("/settings/keys/new")
    _name(page).fill("Storefront")
    page.get_by_role("button", name="Generate key").click()
    secret = _secret_on_page(page)
    page.reload()
    expect(page.get_by_role("alert")).to_have_text("This form was already submitted. Its key is in the list.")
    expect(page.get_by_role("main")).not_to_contain_text(secret)
    page.goto("/settings/keys")
    expect(page.get_by_role("row").filter(has_text="Storefront")).to_have_count(1)


def test_reload_of_a_rotated_key_makes_no_third_one(users: BrowserUsers, console: Console) -> None:
    """Reloading the page of a rotated key creates no third key, and says that the key was already rotated."""
    user = console.user()
    page = users.logged_in(user)
    page.goto(f"/settings/keys/{console.key(user).id}")
    page.get_by_role("link", name="Rotate…").click()
    page.get_by_role("button", name="Rotate key").click()
    _secret_on_page(page)
    page.reload()
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto("/settings/keys")
    expect(page.get_by_role("row").filter(has_text="Test key")).to_have_count(2)


def test_secret_is_only_on_its_page(users: BrowserUsers, console: Console) -> None:
    """A secret is shown on its page only, not in the list or after using the back button."""
    page = users.logged_in(console.user())
    page.goto("/settings/keys/new")
    _name(page).fill("Storefront")
    page.get_by_role("button", name="Generate key").click()
    secret = _secret_on_page(page)
    page.get_by_role("link", name="I have stored it").click()
    expect(page.get_by_role("table")).to_contain_text(secret[-4:])
    assert secret not in page.content()
    with pytest.raises(Error, match="ERR_CACHE_MISS"):  # the browser has no copy of the page
        page.go_back()


def test_copy_button_works_without_the_clipboard_api(users: BrowserUsers, console: Console) -> None:
    """On plain HTTP, without the Clipboard API, the copy button selects the text and uses execCommand."""
    page = users.logged_in(console.user())
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto("/settings/keys/new")
    _name(page).fill("Storefront")
    page.get_by_role("button", name="Generate key").click()
    secret = _secret_on_page(page)
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_focused()
    page.goto("/settings/keys/new")
    _name(page).press("Control+v")
    expect(_name(page)).to_have_value(secret)
    page.context.close()


def test_key_is_renamed_and_loses_scopes(users: BrowserUsers, console: Console) -> None:
    """A new name and removed scopes are confirmed and apply from the next request."""
    user = console.user()
    key = console.key(user, "read", "write")
    page = users.logged_in(user)
    page.goto(f"/settings/keys/{key.id}")
    _name(page).fill("Storefront")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("status")).to_have_text("Name changed.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Storefront")
    page.get_by_role("checkbox", name="Write").uncheck()
    page.get_by_role("button", name="Remove scopes…").click()
    page.get_by_role("button", name="Remove scopes").click()
    expect(page.get_by_role("status")).to_have_text("Scopes removed. The change applies from the next request.")
    changed = requests.patch(
        f"{console.url}/v1/users/me",
        json={"name": "Mallory"},
        headers={"Authorization": f"Bearer {key.secret}"},
        timeout=60,
    )
    assert (changed.status_code, changed.json()["error"]) == (403, "insufficient_scope")


def test_rejected_form_shows_its_error_and_keeps_its_values(users: BrowserUsers, console: Console) -> None:
    """A rejected form shows its error, keeps its values, and can be corrected and sent again."""
    page = users.logged_in(console.user())
    page.goto("/settings/keys/new")
    _name(page).fill("Storefront")
    page.get_by_role("checkbox", name="Read").uncheck()
    page.get_by_label("Expiry").select_option("1 year")
    page.get_by_role("button", name="Generate key").click()
    expect(page.get_by_role("alert")).to_contain_text("Select at least one scope.")
    expect(_name(page)).to_have_value("Storefront")
    expect(page.get_by_label("Expiry")).to_have_value("1 year")
    page.get_by_role("checkbox", name="Write").check()
    page.get_by_role("button", name="Generate key").click()
    _secret_on_page(page)


def test_key_of_another_account_is_not_found(users: BrowserUsers, console: Console) -> None:
    """The page of another account's key looks like that of an unknown key."""
    key = console.key(console.user())
    page = users.logged_in(console.user())
    for path in (f"/settings/keys/{key.id}", f"/settings/keys/{key.id}/revoke", "/settings/keys/key_never"):
        page.goto(path)
        expect(page.get_by_role("main")).to_contain_text("There is no such key.")
        assert key.secret[-4:] not in page.content()


def test_address_must_be_confirmed_before_a_key_where_email_is_sent(
    profiles: Profiles, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """If email is configured, an unverified user gets no form for a key, but is asked to confirm the address."""
    with served(tmp_path_factory.mktemp("strict"), LATCHKEY_MAIL_FROM="api@example.com") as strict:
        users = BrowserUsers(profiles, strict)
        page = users.logged_in(strict.user(verified=False))
        page.goto("/settings/keys")
        expect(page.get_by_role("main")).to_contain_text("Confirm your email address before you generate a key")
        expect(page.get_by_role("link", name="Generate New Key")).to_have_count(0)
        expect(page.get_by_role("link", name="Send me a link")).to_be_visible()
        assert axe.find_violations(page) == []
        page.goto("/settings/keys/new")
        expect(page.get_by_role("main")).to_contain_text("Confirm your email address first")
        users.leave()
        assert users.faults == []


def _name(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Name")


def _sign_up(user: InputMethod, console: Console, email: str) -> None:
    """Sign up as an anonymous user and arrive at the list of keys."""
    page = user.page
    page.goto("/")
    user.follow("Sign up")
    user.fill("Email", email)
    user.fill("Your name", "Ada Lovelace")
    user.fill("Password", PASSWORD)
    user.press("Sign up")
    expect(page.get_by_role("status")).to_contain_text(email)
    page.goto(console.link(email))
    user.press("Confirm")


def _go_to(user: InputMethod, page: str) -> None:
    """Follow a link of the settings menu, which has to be opened first on a narrow screen."""
    if user.page.get_by_role("button", name="Menu").is_visible():
        user.press("Menu")
    user.follow(page)


def _copy_secret(user: InputMethod, *, javascript: bool) -> str:
    """Return the secret from the clipboard after using the copy button, or from the page without JavaScript."""
    secret = _secret_on_page(user.page)
    button = user.page.get_by_role("button", name="Copy").first
    if not javascript:
        expect(button).to_be_hidden()
        return secret
    user.press("Copy")
    expect(user.page.get_by_role("button", name="Copied")).to_be_visible()
    expect(user.page.get_by_text("Copied to the clipboard.")).to_be_attached()
    copied = str(user.page.evaluate("navigator.clipboard.readText()"))
    assert copied == secret
    return copied


def _secret_on_page(page: Page) -> str:
    """Return the secret on the page of a new key."""
    expect(page.get_by_role("heading", name="Your new key")).to_be_visible()
    secret = page.locator("#secret").input_value()
    assert SECRET.fullmatch(secret)
    return secret
