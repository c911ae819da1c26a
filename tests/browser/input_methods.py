"""Two ways to use a page, one interface: with a mouse, and with the keyboard alone."""

from dataclasses import dataclass
from typing import Literal, Protocol

from playwright.sync_api import Locator, Page

STOPS_MAX = 80
"""More than any page has places where the Tab key stops."""


class InputMethod(Protocol):
    """Whoever uses the page."""

    @property
    def page(self) -> Page:
        """What they look at."""

    def follow(self, link: str) -> None:
        """Follow the first link of this name."""

    def press(self, button: str) -> None:
        """Press the first button of this name, in the page's own matter."""

    def fill(self, label: str, text: str) -> None:
        """Write into the field with this label."""

    def tick(self, label: str) -> None:
        """Tick the box with this label."""


@dataclass(frozen=True, slots=True)
class Mouse:
    """Points and clicks."""

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
    """Has no mouse: reaches everything by Tab."""

    page: Page

    def follow(self, link: str) -> None:
        self._reach(_named(self.page, "link", link))
        # A click waits for the page that it leads to, a key doesn't; and the page before may have the next link, too.
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
    # A page's own matter goes before the links around it; the words may be followed by what is beside them.
    inside = page.get_by_role("main").get_by_role(role, name=name, exact=True)
    return inside.or_(page.get_by_role(role, name=name, exact=True)).first


def _box(page: Page, label: str) -> Locator:
    return page.get_by_role("checkbox", name=label)
