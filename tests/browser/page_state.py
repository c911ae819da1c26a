"""A page of the console in one state, and functions that open it."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.browser.cast import Cast


@dataclass(frozen=True, slots=True)
class PageState:
    """A page in one state: its user ("" for an anonymous user) and the function that opens it.

    `like` names a state that differs only in `part` (a selector); then only that part of a long page is checked.
    """

    name: str
    who: str
    way: Callable[[Page, Cast], None]
    like: str = ""
    part: str | None = None

    def open(self, page: Page, cast: Cast) -> None:
        """Open the page and wait until its styles are loaded, too."""
        self.way(page, cast)
        page.wait_for_load_state()


def at(path: str) -> Callable[[Page, Cast], None]:
    def open_path(page: Page, cast: Cast) -> None:
        page.goto(cast.console.url + path)

    return open_path


def submit(path: str, button: str, **fields: str) -> Callable[[Page, Cast], None]:
    """Return a function that opens a page and sends its form."""

    def send(page: Page, cast: Cast) -> None:
        page.goto(cast.console.url + path)
        fill_in(page, button, **fields)

    return send


def fill_in(page: Page, button: str, **fields: str) -> None:
    form = page.locator("form").filter(has=page.get_by_role("button", name=button, exact=True))
    for name, value in fields.items():
        form.locator(f"[name={name}]").fill(value)
    form.get_by_role("button", name=button, exact=True).click()
