"""The API reference and its request forms in a browser."""

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.browser_users import NARROW, WIDE, BrowserUsers
from tests.browser.console import Console
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("browser")

KEPT = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, history.length])"

COVERS = """() => [...document.querySelectorAll('body *')].filter((each) => {
  const box = each.getBoundingClientRect();
  return getComputedStyle(each).position === 'fixed' && each.checkVisibility() && box.width && box.height;
}).map((each) => each.className)"""
"""The visible elements that don't scroll with the page."""

UNDER_THE_HEADER = """(heading) => {
  const box = heading.getBoundingClientRect();
  const there = document.elementFromPoint(box.left + Math.min(box.width, innerWidth) / 2, box.top + box.height / 2);
  return there === heading || heading.contains(there);
}"""
"""Whether the middle of an element can be seen and clicked."""


def open_operation(page: Page, operation: str) -> Locator:
    """Return the card of an operation after opening its "Try it"."""
    page.goto("/docs")
    card = page.locator("article", has=page.locator(f"#{operation}"))
    card.get_by_text("Try it").click()
    return card


def test_request_is_sent_with_the_users_key(users: BrowserUsers, console: Console) -> None:
    """A request with the user's key shows the response with its status, limit headers and body."""
    ada, page = console.user("Ada"), users.anonymous()
    card = open_operation(page, "show_me")
    page.get_by_label("Try it with your key").fill(console.key(ada).secret)
    card.get_by_role("button", name="Send").click()
    response = card.locator(".response")
    expect(response).to_contain_text("200 OK")
    expect(response).to_contain_text("x-ratelimit-remaining: 999")
    expect(response).to_contain_text(ada.email)


def test_key_is_not_stored(users: BrowserUsers, console: Console) -> None:
    """The key is neither in storage nor in a cookie or URL, and is lost when the page is reloaded."""
    page = users.anonymous()
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    card = open_operation(page, "show_me")
    before, secret = page.evaluate(KEPT), console.key(console.user("Bea")).secret
    page.get_by_label("Try it with your key").fill(secret)
    card.get_by_role("button", name="Send").click()
    expect(card.locator(".response")).to_contain_text("200 OK")
    assert page.evaluate(KEPT) == before
    assert not any(secret in url for url in urls)
    page.reload()
    expect(page.get_by_label("Try it with your key")).to_have_value("")


def test_path_query_and_body_are_sent(users: BrowserUsers, console: Console) -> None:
    """Path, query and body are sent: a key is created, listed with a page size, and shown by its id."""
    page, secret = users.anonymous(), console.key(console.user("Cleo"), "keys", "read").secret
    card = open_operation(page, "create_key")
    page.get_by_label("Try it with your key").fill(secret)
    card.get_by_label("Body").fill(json.dumps({"name": "Made here", "scopes": ["read"]}))
    card.get_by_role("button", name="Send").click()
    expect(card.locator(".response")).to_contain_text("201 Created")
    created = json.loads(card.get_by_role("group", name="Body").inner_text())

    listed = page.locator("article", has=page.locator("#list_keys"))
    listed.get_by_text("Try it").click()
    listed.get_by_label("limit").fill("1")
    listed.get_by_role("button", name="Send").click()
    expect(listed.locator(".response")).to_contain_text("next_cursor")
    assert len(json.loads(listed.get_by_role("group", name="Body").inner_text())["data"]) == 1

    shown = page.locator("article", has=page.locator("#show_key"))
    shown.get_by_text("Try it").click()
    shown.get_by_role("button", name="Send").click()
    expect(shown.locator(".response")).to_contain_text("Enter key_id first.")
    shown.get_by_label("key_id").fill(created["id"])
    shown.get_by_role("button", name="Send").click()
    expect(shown.locator(".response")).to_contain_text("Made here")


def test_error_response_is_shown(users: BrowserUsers) -> None:
    """A request without a key shows the API's 401."""
    card = open_operation(users.anonymous(), "show_me")
    card.get_by_role("button", name="Send").click()
    expect(card.locator(".response")).to_contain_text("401 Unauthorized")
    expect(card.locator(".response")).to_contain_text("missing_api_key")


def test_response_is_shown_as_text(users: BrowserUsers, console: Console) -> None:
    """Markup in a response is shown as text and doesn't become part of the page."""
    page, secret = users.anonymous(), console.key(console.user("<img src=x onerror=alert(1)>")).secret
    card = open_operation(page, "show_me")
    page.get_by_label("Try it with your key").fill(secret)
    card.get_by_role("button", name="Send").click()
    expect(card.locator(".response")).to_contain_text("<img src=x")
    assert card.locator(".response img").count() == 0


def test_reference_works_without_javascript(users: BrowserUsers) -> None:
    """Without JavaScript everything is shown except the parts that need a script."""
    page = users.anonymous(javascript=False, width=NARROW)
    page.goto("/docs#create_key")
    expect(page.locator("#create_key")).to_be_in_viewport()
    expect(page.get_by_text("Try it", exact=True).first).to_be_hidden()
    expect(page.locator("#api-key")).to_be_hidden()


@pytest.mark.parametrize("width", exhaustive.after(2, [NARROW, WIDE, 390, 768, 1055]))
@pytest.mark.parametrize("logged_in", [False, True], ids=["guest", "member"])
def test_nothing_covers_the_reference(users: BrowserUsers, console: Console, width: int, logged_in: bool) -> None:
    """At any width, no element has a fixed position above the page, and no heading is covered."""
    page = users.logged_in(console.user("Edda"), width=width) if logged_in else users.anonymous(width=width)
    page.goto("/docs")
    for selector in ("h1", "#show_me", "#errors"):
        heading = page.locator(selector)
        heading.evaluate("(each) => each.scrollIntoView({block: 'center'})")
        assert heading.evaluate(UNDER_THE_HEADER)
    assert page.evaluate(COVERS) == []
    page.get_by_role("link", name="Errors", exact=True).click()
    expect(page.locator("#errors")).to_be_in_viewport()


def test_every_menu_button_opens_a_menu(users: BrowserUsers, console: Console) -> None:
    """On a narrow screen, every menu button on a page has a menu to open."""
    page = users.logged_in(console.user("Flora"), width=NARROW)
    for path in ("/docs", "/settings/keys", "/status"):
        page.goto(path)
        for button in page.locator("[popovertarget]").all():
            assert page.locator(f"#{button.get_attribute('popovertarget')}").count() == 1, path


def test_reference_works_with_the_keyboard(users: BrowserUsers, console: Console) -> None:
    """With the keyboard only, users can enter a key, send a request and move to the response."""
    page, secret = users.anonymous(), console.key(console.user("Dora")).secret
    page.goto("/docs")
    page.get_by_label("Try it with your key").focus()
    page.keyboard.type(secret)
    card = page.locator("article", has=page.locator("#show_limits"))
    card.get_by_text("Try it").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card.locator(".response")).to_contain_text("200 OK")
    page.keyboard.press("Tab")
    expect(card.get_by_role("group", name="Headers")).to_be_focused()
