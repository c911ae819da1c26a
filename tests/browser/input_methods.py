"""One interface to use a page with a mouse or with the keyboard only."""

from dataclasses import dataclass
from typing import Literal, Protocol

from playwright.sync_api import Locator, Page

STOPS_MAX = 80
"""More tab stops than any page has."""


class InputMethod(Protocol):
    """A way to use a page."""

    @property
    def page(self) -> Page:
        """The page."""

    def follow(self, link: str) -> None:
        """Follow the first link with this name."""

    def press(self, button: str) -> None:
        """Press the first button with this name, preferably in the main content."""

    def fill(self, label: str, text: str) -> None:
        """Type text into the field with this label."""

    def tick(self, label: str) -> None:
        """Select the checkbox with this label."""


@dataclass(frozen=True, slots=True)
class Mouse:
    """Uses a page by clicks of a mouse."""

    page: Page

    def follow(self, link: str) -> None:
        _named(self.page, "link", link).click()

    def press(self, button: str) -> None:
        _named(self.page, "button", button).click()

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).fill(text)

    def tick(self, label: str) -> None:
        _box(self.page, label).check()


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Uses a page by the keyboard only, and reaches every element with Tab."""

    page: Page

    def follow(self, link: str) -> None:
        self._reach(_named(self.page, "link", link))
        # Unlike a click, a key press doesn't wait for the navigation, and a later search could find a link of the old
        # page.
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def press(self, button: str) -> None:
        self._reach(_named(self.page, "button", button))
        self.page.keyboard.press("Enter")

    def fill(self, label: str, text: str) -> None:
        self._reach(self.page.get_by_label(label, exact=True))
        self.page.keyboard.type(text)

    def tick(self, label: str) -> None:
        self._reach(_box(self.page, label))
        self.page.keyboard.press("Space")

    def _reach(self, wanted: Locator) -> None:
        wanted.wait_for()
        for _ in range(STOPS_MAX):
            if wanted.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"The Tab key doesn't reach {wanted}.")


def _named(page: Page, role: Literal["link", "button"], name: str) -> Locator:
    # A match in the main content takes precedence over the navigation.
    inside = page.get_by_role("main").get_by_role(role, name=name, exact=True)
    return inside.or_(page.get_by_role(role, name=name, exact=True)).first


def _box(page: Page, label: str) -> Locator:
    return page.get_by_role("checkbox", name=label)
