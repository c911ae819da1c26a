"""People decide about applications: asked, they allow or deny, are led back, and can take it back."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import applications
from tests.browser.browser_users import BrowserUsers, log_in
from tests.browser.console import Console, Person
from tests.browser.onward import Hop, chain

pytestmark = pytest.mark.xdist_group("browser")

THEIRS = "https://ledger.example"
"""The application's own site."""


@pytest.fixture
def person(console: Console) -> Person:
    """Someone who is asked."""
    return console.person("Ada")


@pytest.fixture
def asked_at(users: BrowserUsers, console: Console) -> str:
    """The page to which an application of someone else's sends people."""
    back = f"{THEIRS}/back"
    client_id = applications.register(users.member(console.person("Grace")), console, "Ledger sync", back)
    return applications.authorize_url(console, client_id, "read write", back)


def test_person_logs_in_allows_and_is_led_back(users: BrowserUsers, person: Person, asked_at: str) -> None:
    """From the application to the log-in, the question, and back with a code; the second time without the question."""
    page = _led_back_by(users.guest(javascript=False), users)
    page.goto(asked_at)
    log_in(page, person.email)
    expect(page.get_by_role("heading", level=1)).to_have_text("Allow “Ledger sync”?")
    expect(page.get_by_role("main").get_by_role("list")).to_contain_text("Change your own name")
    page.get_by_role("button", name="Allow").click()
    assert "code" in _answer(page)

    elsewhere = _led_back_by(users.guest(javascript=False), users)
    elsewhere.goto(asked_at)
    log_in(elsewhere, person.email)
    assert "code" in _answer(elsewhere)


@pytest.fixture
def hops(users: BrowserUsers) -> Iterator[list[Hop]]:
    """Three origins, each of which sends people on to the next."""
    with chain() as served:
        users.friends |= {hop.origin for hop in served}
        yield served


@pytest.mark.parametrize("decision", ["Allow", "Deny"])
def test_decision_leaves_the_page_whatever_chain_of_redirects_follows(
    users: BrowserUsers, console: Console, person: Person, hops: list[Hop], decision: str
) -> None:
    """The client's callback answers with a redirect to another origin, and that with one to a third (fastmcp#3369)."""
    client_id = applications.register_itself(console, "Proxy", hops[0].url)
    page = users.guest(javascript=False)
    page.goto(applications.authorize_url(console, client_id, "read", hops[0].url))
    log_in(page, person.email)
    page.get_by_role("button", name=decision).click()
    page.wait_for_url(f"{hops[-1].url}?**")
    assert ("code" if decision == "Allow" else "error") in parse_qs(urlsplit(page.url).query)
    expect(page).to_have_title("Arrived")


def test_log_in_leaves_the_page_whatever_chain_of_redirects_follows(
    users: BrowserUsers, console: Console, person: Person, hops: list[Hop]
) -> None:
    """Who isn't asked is led from the log-in form straight through the client's redirects: here with an error."""
    maker = users.member(console.person("Grace"))
    client_id = applications.register(maker, console, "Ledger sync", hops[0].url)
    page = users.guest(javascript=False)
    page.goto(applications.authorize_url(console, client_id, "nonsense", hops[0].url))
    log_in(page, person.email)
    page.wait_for_url(f"{hops[-1].url}?**")
    assert parse_qs(urlsplit(page.url).query)["error"] == ["invalid_scope"]
    expect(page).to_have_title("Arrived")


def test_person_denies(users: BrowserUsers, person: Person, asked_at: str) -> None:
    """A no is taken back to the application, and nothing is connected."""
    page = _led_back_by(users.member(person), users)
    page.goto(asked_at)
    page.get_by_role("button", name="Deny").click()
    assert _answer(page)["error"] == ["access_denied"]
    page.goto(f"{users.console.url}/settings/connected")
    expect(page.get_by_role("heading", name="No connected apps")).to_be_visible()


def test_person_takes_it_back(users: BrowserUsers, console: Console, person: Person) -> None:
    """A device that was allowed is listed, and its token stops when it is disconnected."""
    client_id = applications.register_itself(console, "Television")
    device = applications.device(console, client_id)
    page = users.member(person)
    page.goto("/device")
    page.get_by_label("Code").fill(device.user_code)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("its name hasn't been checked")).to_be_visible()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Device connected")
    token = device.token(console)
    assert console.status(token) == 200

    page.get_by_role("link", name="Connected apps").click()
    row = page.get_by_role("row").filter(has_text="Television")
    expect(row).to_contain_text("This hour")
    row.get_by_role("link", name="Disconnect Television").click()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("status")).to_contain_text("App disconnected.")
    assert console.status(token) == 401


def test_wrong_code_says_so_and_keeps_it(users: BrowserUsers, person: Person) -> None:
    """A code that no device shows is refused in one sentence, beside the field."""
    page = users.member(person)
    page.goto("/device?user_code=BCDF-GHJK")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Code")).to_have_value("BCDF-GHJK")


def test_application_is_changed_gets_another_secret_and_goes(
    users: BrowserUsers, console: Console, person: Person
) -> None:
    """Each action on one's own application is confirmed; its new secret is shown once and copied."""
    page = users.member(person)
    applications.register(page, console, "Ledger sync")
    first = page.get_by_label("Client secret").input_value()
    page.get_by_role("link", name="I have stored it").click()
    assert first not in page.content()
    page.get_by_role("textbox", name="Name").fill("Ledger")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Application saved.")
    page.get_by_role("link", name="Rotate secret…").click()
    page.get_by_role("button", name="Rotate secret").click()
    expect(page.get_by_role("main")).to_contain_text("The old one has stopped working.")
    page.locator("[data-copies=secret]").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    second = page.get_by_label("Client secret").input_value()
    assert (page.evaluate("navigator.clipboard.readText()"), second == first) == (second, False)
    page.get_by_role("link", name="I have stored it").click()
    page.get_by_role("link", name="Delete application…").click()
    page.get_by_role("button", name="Delete application").click()
    expect(page.get_by_role("status")).to_contain_text("Application deleted.")
    expect(page.get_by_role("heading", name="No applications yet")).to_be_visible()


def _led_back_by(page: Page, users: BrowserUsers) -> Page:
    """Let a browser find the application's site, which nothing answers for in truth."""
    users.friends.add(THEIRS)
    page.context.route(
        f"{THEIRS}/**", lambda route: route.fulfill(content_type="text/html", body="<title>Back</title>")
    )
    return page


def _answer(page: Page) -> dict[str, list[str]]:
    """Return what the application is told in the address that people are led back to."""
    page.wait_for_url(f"{THEIRS}/back?**")
    answer = parse_qs(urlsplit(page.url).query)
    assert answer["state"] == ["af0ifjsldkj"]
    return answer
