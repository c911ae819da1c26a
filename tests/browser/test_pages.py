"""Every page state is accessible by axe's rules and fits its width, in light and dark, wide and narrow."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.browser_users import NARROW, WIDE, BrowserUsers, Profiles
from tests.browser.cast import Cast
from tests.browser.console import Console
from tests.browser.page_catalog import BY_NAME, PAGE_STATES
from tests.browser.page_state import PageState
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("pages")

HIDDEN_STOP = """() => {
    const {activeElement: at} = document;
    if (at === document.body) return null;
    const drawn = [getComputedStyle(at), getComputedStyle(at, "::after")];
    const box = at.getBoundingClientRect();
    const seen = box.bottom > 0 && box.top < innerHeight && drawn.some(style => style.outlineStyle === "solid");
    return [at.outerHTML.slice(0, 120), seen];
}"""
"""The focused element and whether its focus is visible; null at the end of the page."""
CUT_OFF = """[...document.querySelectorAll("html, .card")]
    .filter(box => box.scrollWidth > box.clientWidth)
    .map(box => box.outerHTML.slice(0, 200))"""
"""Elements whose content is wider than they are."""
STRAYED = """[...document.querySelectorAll("td[data-label] > *")].filter(part => {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const [box, cell] = [part.getBoundingClientRect(), part.parentElement.getBoundingClientRect()];
    const isStretched = part.matches(".state") && box.right > cell.right - rem;
    return part.tagName !== "BR" && (box.left < cell.left + 6.5 * rem || isStretched);
}).map(part => part.outerHTML.slice(0, 200))"""
"""Elements in table cells that aren't beside the cell's label, or that are stretched."""


VIEWS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((WIDE, "light"), (NARROW, "dark"))
WITHOUT = """part => {
    const copy = document.documentElement.cloneNode(true);
    copy.querySelector(part).remove();
    return copy.innerHTML;
}"""
"""The HTML of the page without one part."""


@pytest.fixture(scope="module")
def all_users(profiles: Profiles, console: Console) -> Iterator[BrowserUsers]:
    """The users of the page catalog."""
    users = BrowserUsers(profiles, console)
    yield users
    users.leave()


@pytest.fixture
def window(all_users: BrowserUsers) -> Iterator[Page]:
    """One window without a session that the tests share, because a new window takes longer than a check.

    Its pages must report no fault.
    """
    users = all_users
    page = next((page for page, _ in users.pages if page not in users.opened_app), None) or users.anonymous()
    page.context.clear_cookies()
    page.set_viewport_size({"width": WIDE, "height": 800})
    yield page
    page.evaluate("0")  # Chromium sends this result after all reports
    faults, users.faults[:] = list(users.faults), []
    assert faults == []


@pytest.mark.parametrize("page_state", PAGE_STATES, ids=lambda page_state: page_state.name)
def test_page_is_accessible_and_fits(page_state: PageState, window: Page, all_users: BrowserUsers, cast: Cast) -> None:
    """Axe finds no violation, and no element is wider than the window.

    Colours depend on the theme and layout on the width, so each page is checked in two combinations instead of
    four. Axe, which takes seconds, checks one combination of each page, alternating between the two.
    """
    with_axe = VIEWS if exhaustive.IS_ENABLED else (VIEWS[PAGE_STATES.index(page_state) % len(VIEWS)],)
    if page_state.who:
        all_users.start_session(window, getattr(cast, page_state.who))
    page_state.open(window, cast)
    for width, theme in VIEWS:
        window.set_viewport_size({"width": width, "height": 800})
        window.emulate_media(color_scheme=theme)
        assert window.evaluate("document.documentElement.scrollWidth") <= width
        if (width, theme) in with_axe:
            assert axe.find_violations(window, within=page_state.part) == []


@pytest.mark.parametrize(
    "page_state", [page_state for page_state in PAGE_STATES if page_state.part], ids=lambda page_state: page_state.name
)
def test_partly_checked_page_equals_a_fully_checked_one_elsewhere(
    page_state: PageState, users: BrowserUsers, cast: Cast
) -> None:
    """A page of which only a part is checked has no other difference from the fully checked page."""
    rest, whole = (
        _opened(each, users, cast).evaluate(WITHOUT, page_state.part) for each in (page_state, BY_NAME[page_state.like])
    )
    assert rest == whole


def test_axe_finds_a_fault(users: BrowserUsers) -> None:
    """Axe reports a field without a label, which shows that its rules are active."""
    page = users.anonymous()
    page.goto("/login")
    page.evaluate("document.querySelector('label').remove()")
    assert [fault.partition(":")[0] for fault in axe.find_violations(page)] == ["label"]


@pytest.mark.parametrize("width", [320, 480, 735, 752, 1040, 1056, 1920])
def test_no_width_cuts_a_table_off(width: int, users: BrowserUsers, cast: Cast) -> None:
    """Tables fit into their cards on both sides of every layout breakpoint."""
    page = users.anonymous(width=width)
    for name in ("keys", "keys-unusual", "usage", "admin-account"):
        users.start_session(page, getattr(cast, BY_NAME[name].who))
        BY_NAME[name].open(page, cast)
        assert page.evaluate(CUT_OFF) == []


def test_narrow_table_shows_values_beside_their_labels(users: BrowserUsers, cast: Cast) -> None:
    """On a phone each table row is a card with values beside their labels, and pills aren't stretched."""
    page = users.logged_in(cast.ada, width=NARROW)
    for name in ("keys", "activity", "webhook-delivery", "webhook", "webhooks"):
        BY_NAME[name].open(page, cast)
        assert page.locator("td[data-label]").count() > 0
        assert page.evaluate(STRAYED) == []


@pytest.mark.parametrize(
    "name", ["login", "keys", "key", "key-new", "key-created", "usage", "account", "admin-account"]
)
def test_every_tab_stop_is_visible(name: str, users: BrowserUsers, cast: Cast) -> None:
    """The focus is visible at each tab stop."""
    page = _opened(BY_NAME[name], users, cast)
    page.evaluate("document.activeElement.blur()")
    stops = []
    for _ in range(80):
        page.keyboard.press("Tab")
        stop = page.evaluate(HIDDEN_STOP)
        if stop is None:
            break
        stops.append(stop)
    assert len(stops) >= 4
    assert [html for html, seen in stops if not seen] == []


def test_skip_link_leads_past_the_navigation(users: BrowserUsers, cast: Cast) -> None:
    """The first tab stop jumps to the main content."""
    page = users.logged_in(cast.ada)
    page.goto("/settings/usage")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.get_by_role("main").locator(":focus").count() == 1


def test_reduced_motion_disables_animations(users: BrowserUsers, cast: Cast) -> None:
    """With reduced motion no element has a transition or an animation."""
    page = users.logged_in(cast.ada)
    page.goto("/settings/keys")
    moving = """[...document.querySelectorAll('*')].map(element => getComputedStyle(element))
        .filter(style => style.transitionDuration !== '0s' || style.animationName !== 'none').length"""
    assert page.evaluate(moving) == 0


def _opened(page_state: PageState, users: BrowserUsers, cast: Cast) -> Page:
    page = users.logged_in(getattr(cast, page_state.who)) if page_state.who else users.anonymous()
    page_state.open(page, cast)
    return page
