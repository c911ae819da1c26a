"""Every page in every state: accessible by axe's rules in light and dark, wide and narrow; nothing sticks out."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.browser_users import NARROW, WIDE, BrowserUsers, Profiles
from tests.browser.console import Console
from tests.browser.page_catalog import BY_NAME, SIGHTS, Cast, Sight
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
"""What has the focus, and whether that can be seen; null when the page has been walked through."""
CUT_OFF = """[...document.querySelectorAll("html, .card")]
    .filter(box => box.scrollWidth > box.clientWidth)
    .map(box => box.outerHTML.slice(0, 200))"""
"""Parts whose matter is wider than they are."""
STRAYED = """[...document.querySelectorAll("td[data-label] > *")].filter(part => {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const [box, cell] = [part.getBoundingClientRect(), part.parentElement.getBoundingClientRect()];
    const isStretched = part.matches(".state") && box.right > cell.right - rem;
    return part.tagName !== "BR" && (box.left < cell.left + 6.5 * rem || isStretched);
}).map(part => part.outerHTML.slice(0, 200))"""
"""What stands in a table's cells, but not beside the label, or wider than it needs."""


LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((WIDE, "light"), (NARROW, "dark"))
WITHOUT = """part => {
    const copy = document.documentElement.cloneNode(true);
    copy.querySelector(part).remove();
    return copy.innerHTML;
}"""
"""The page but for one part."""


@pytest.fixture(scope="module")
def onlookers(profiles: Profiles, console: Console) -> Iterator[BrowserUsers]:
    """Whoever looks at the page_catalog."""
    came = BrowserUsers(profiles, console)
    yield came
    came.leave()


@pytest.fixture
def window(onlookers: BrowserUsers) -> Iterator[Page]:
    """One window for all, without a session: another takes longer than to look. Afterwards nothing went wrong in it."""
    came = onlookers
    page = next((page for page, _ in came.pages if page not in came.led_out), None) or came.guest()
    page.context.clear_cookies()
    page.set_viewport_size({"width": WIDE, "height": 800})
    yield page
    page.evaluate("0")  # its answer comes after whatever the page reported
    faults, came.faults[:] = list(came.faults), []
    assert faults == []


@pytest.mark.parametrize("sight", SIGHTS, ids=lambda sight: sight.name)
def test_page_is_accessible_and_fits(sight: Sight, window: Page, onlookers: BrowserUsers, cast: Cast) -> None:
    """No rule of axe is broken and nothing is wider than the window.

    Colours are the theme's and places the width's, so each theme and each width is looked at, not every pair of them;
    axe, which takes seconds, looks at every other page in the one and at the rest in the other.
    """
    closely = LOOKS if exhaustive.IS_ENABLED else (LOOKS[SIGHTS.index(sight) % len(LOOKS)],)
    if sight.who:
        onlookers.log_in_quietly(window, getattr(cast, sight.who))
    sight.open(window, cast)
    for width, theme in LOOKS:
        window.set_viewport_size({"width": width, "height": 800})
        window.emulate_media(color_scheme=theme)
        assert window.evaluate("document.documentElement.scrollWidth") <= width
        if (width, theme) in closely:
            assert axe.violations(window, within=sight.part) == []


@pytest.mark.parametrize("sight", [sight for sight in SIGHTS if sight.part], ids=lambda sight: sight.name)
def test_page_of_which_a_part_is_looked_at_is_otherwise_one_that_is_looked_at_whole(
    sight: Sight, users: BrowserUsers, cast: Cast
) -> None:
    """Nothing that differs is left out."""
    rest, whole = (_opened(each, users, cast).evaluate(WITHOUT, sight.part) for each in (sight, BY_NAME[sight.like]))
    assert rest == whole


def test_axe_would_find_a_fault(users: BrowserUsers) -> None:
    """A field that loses its label is found: the rules do run."""
    page = users.guest()
    page.goto("/login")
    page.evaluate("document.querySelector('label').remove()")
    assert [fault.partition(":")[0] for fault in axe.violations(page)] == ["label"]


@pytest.mark.parametrize("width", [320, 480, 735, 752, 1040, 1056, 1920])
def test_no_width_cuts_a_table_off(width: int, users: BrowserUsers, cast: Cast) -> None:
    """Tables keep inside their cards at either side of every width at which the layout changes."""
    page = users.guest(width=width)
    for name in ("keys", "keys-unusual", "usage", "admin-account"):
        users.log_in_quietly(page, getattr(cast, BY_NAME[name].who))
        BY_NAME[name].open(page, cast)
        assert page.evaluate(CUT_OFF) == []


def test_narrow_table_keeps_everything_beside_its_label(users: BrowserUsers, cast: Cast) -> None:
    """On a phone each row is a card: nothing of a value stands under its label, and no pill is stretched."""
    page = users.member(cast.ada, width=NARROW)
    for name in ("keys", "activity", "webhook-delivery", "webhook", "webhooks"):
        BY_NAME[name].open(page, cast)
        assert page.locator("td[data-label]").count() > 0
        assert page.evaluate(STRAYED) == []


@pytest.mark.parametrize("name", ["login", "keys", "key", "key-new", "key-made", "usage", "account", "admin-account"])
def test_every_stop_of_the_tab_key_can_be_seen(name: str, users: BrowserUsers, cast: Cast) -> None:
    """Who walks through a page with the Tab key sees at each stop where they are."""
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
    """The first stop of the Tab key jumps to the page's own matter."""
    page = users.member(cast.ada)
    page.goto("/settings/usage")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.get_by_role("main").locator(":focus").count() == 1


def test_nothing_moves_for_those_who_ask_for_it(users: BrowserUsers, cast: Cast) -> None:
    """With reduced motion no element has a transition or an animation."""
    page = users.member(cast.ada)
    page.goto("/settings/keys")
    moving = """[...document.querySelectorAll('*')].map(element => getComputedStyle(element))
        .filter(style => style.transitionDuration !== '0s' || style.animationName !== 'none').length"""
    assert page.evaluate(moving) == 0


def _opened(sight: Sight, users: BrowserUsers, cast: Cast) -> Page:
    page = users.member(getattr(cast, sight.who)) if sight.who else users.guest()
    sight.open(page, cast)
    return page
