"""People with a browser at the console: each in a profile of its own, and watched for whatever goes wrong on a page."""

import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError

from tests.browser.console import PASSWORD, Console, Person

WIDE, NARROW = 1280, 360
PATIENCE_MS = 20_000
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d .*")
"""What Chromium says of every page that is no success."""


class Profiles:
    """Profiles of one browser, each with a page, used again when emptied: another costs half a second of CPU."""

    def __init__(self, browser: Browser) -> None:
        """Begin with none."""
        self._browser = browser
        self._idle: dict[tuple[str, bool], list[Page]] = {}

    def take(self, base_url: str, *, javascript: bool) -> Page:
        """Return a page of a profile that holds nothing but what it has cached."""
        idle = self._idle.get((base_url, javascript))
        if idle:
            return idle.pop()
        context = self._browser.new_context(
            base_url=base_url,
            java_script_enabled=javascript,
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"] if javascript else [],
        )
        context.set_default_timeout(PATIENCE_MS)
        return context.new_page()

    def put_back(self, page: Page, base_url: str, *, javascript: bool) -> None:
        """Empty a profile, unless its test closed it: scripts that run on every page can't be taken back."""
        if page.is_closed():
            return
        context = page.context
        for other in context.pages:
            if other != page:
                other.close()
        context.unroute_all()
        context.clear_cookies()
        page.emulate_media(color_scheme="light")
        page.goto("about:blank")
        self._idle.setdefault((base_url, javascript), []).append(page)


@dataclass
class BrowserUsers:
    """Everyone who came, and every fault that their browsers reported: errors, policies broken, other hosts asked."""

    profiles: Profiles
    console: Console
    faults: list[str] = field(default_factory=list)
    pages: list[tuple[Page, bool]] = field(default_factory=list)
    """Each that came, with whether it runs scripts."""
    led_out: set[Page] = field(default_factory=set)
    """Pages that led to an app which this machine hasn't: afterwards Chromium lets no form lead on in that tab."""
    friends: set[str] = field(default_factory=lambda: {"com.example.app://"})
    """Origins besides the console's that a test sends its browsers to, and an app's that no machine here has."""

    def guest(self, *, width: int = WIDE, javascript: bool = True) -> Page:
        """Return an empty page of someone who isn't logged in."""
        page = self.profiles.take(self.console.url, javascript=javascript)
        page.set_viewport_size({"width": width, "height": 800})
        page.context.on("console", self._heard)
        page.context.on("weberror", self._failed)
        page.context.on("request", self._asked)
        self.pages.append((page, javascript))
        return page

    def member(self, person: Person, *, width: int = WIDE, javascript: bool = True) -> Page:
        """Return an empty page of someone who is logged in already."""
        page = self.guest(width=width, javascript=javascript)
        self.log_in_quietly(page, person)
        return page

    def log_in_quietly(self, page: Page, person: Person) -> None:
        """Give a browser a session without the form."""
        set_session(page.context, self.console, self.console.session(person))

    def take_faults(self, page: Page, count: int) -> list[str]:
        """Return the faults that a test made on purpose, once so many are told of: a page doesn't wait for them."""
        give_up = time.monotonic() + PATIENCE_MS / 1000
        while len(self.faults) < count and time.monotonic() < give_up:
            page.wait_for_timeout(20)
        taken, self.faults[:] = list(self.faults), []
        assert len(taken) == count, taken
        return taken

    def leave(self) -> None:
        """Empty every browser, for those who come next."""
        for page, javascript in self.pages:
            page.context.remove_listener("console", self._heard)
            page.context.remove_listener("weberror", self._failed)
            page.context.remove_listener("request", self._asked)
            if page in self.led_out:
                page.context.close()
            self.profiles.put_back(page, self.console.url, javascript=javascript)

    def _failed(self, error: WebError) -> None:
        self.faults.append(f"script: {error.error}")

    def _heard(self, message: ConsoleMessage) -> None:
        expected = REFUSED.fullmatch(message.text) and "/static/" not in message.location["url"]
        if message.type in ("error", "warning") and not expected:
            self.faults.append(f"{message.type}: {message.text} at {message.location['url']}")

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("http", "https"):
            self.led_out.add(request.frame.page)
        if f"{url.scheme}://{url.netloc}" not in {self.console.url, *self.friends}:
            self.faults.append(f"another host: {request.url}")


def set_session(context: BrowserContext, console: Console, secret: str) -> None:
    """Put the secret of a session into a browser's cookies."""
    context.add_cookies([{"name": "latchkey", "value": secret, "url": console.url}])


def session_of(page: Page) -> str | None:
    """Return the secret of the session in a browser's cookies."""
    return next((cookie["value"] for cookie in page.context.cookies() if cookie.get("name") == "latchkey"), None)


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fill in the form on the page to log in."""
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
