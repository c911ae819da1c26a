"""Users with a browser profile each, and the errors that their pages report."""

import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError

from tests.browser.console import PASSWORD, Console, User

WIDE, NARROW = 1280, 360
PATIENCE_MS = 20_000
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d .*")
"""Chromium's message for every response with a client error. Such responses are expected, so they are no faults."""


class Profiles:
    """Profiles of one browser, cleared and reused because a new profile takes half a second of CPU time."""

    def __init__(self, browser: Browser) -> None:
        """Start without profiles."""
        self._browser = browser
        self._idle: dict[tuple[str, bool], list[Page]] = {}

    def take(self, base_url: str, *, javascript: bool) -> Page:
        """Return a page in a profile that is empty except for its cache."""
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
        """Clear a profile for reuse.

        A profile whose page the test closed is discarded, because init scripts can't be removed.
        """
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
    """The users of a test, and the faults in their browsers: errors, policy violations, and requests to other hosts."""

    profiles: Profiles
    console: Console
    faults: list[str] = field(default_factory=list)
    pages: list[tuple[Page, bool]] = field(default_factory=list)
    """Each page, and whether JavaScript is enabled."""
    opened_app: set[Page] = field(default_factory=set)
    """Pages that tried to open an app. In such a tab Chromium then blocks redirects after a form is submitted."""
    allowed_origins: set[str] = field(default_factory=lambda: {"com.example.app://"})
    """Origins besides the console's that a test may request, and the URL scheme of an app that isn't installed."""

    def anonymous(self, *, width: int = WIDE, javascript: bool = True) -> Page:
        """Return an empty page of an anonymous user."""
        page = self.profiles.take(self.console.url, javascript=javascript)
        page.set_viewport_size({"width": width, "height": 800})
        page.context.on("console", self._on_console_message)
        page.context.on("weberror", self._on_error)
        page.context.on("request", self._on_request)
        self.pages.append((page, javascript))
        return page

    def logged_in(self, user: User, *, width: int = WIDE, javascript: bool = True) -> Page:
        """Return an empty page of a user who is logged in."""
        page = self.anonymous(width=width, javascript=javascript)
        self.start_session(page, user)
        return page

    def start_session(self, page: Page, user: User) -> None:
        """Start a session in a browser without the log-in form."""
        set_session(page.context, self.console, self.console.session(user))

    def expect_faults(self, page: Page, count: int) -> list[str]:
        """Wait until a test has caused `count` faults, which arrive asynchronously, and return them."""
        give_up = time.monotonic() + PATIENCE_MS / 1000
        while len(self.faults) < count and time.monotonic() < give_up:
            page.wait_for_timeout(20)
        taken, self.faults[:] = list(self.faults), []
        assert len(taken) == count, taken
        return taken

    def leave(self) -> None:
        """Clear every browser for the next test."""
        for page, javascript in self.pages:
            page.context.remove_listener("console", self._on_console_message)
            page.context.remove_listener("weberror", self._on_error)
            page.context.remove_listener("request", self._on_request)
            if page in self.opened_app:
                page.context.close()
            self.profiles.put_back(page, self.console.url, javascript=javascript)

    def _on_error(self, error: WebError) -> None:
        self.faults.append(f"script: {error.error}")

    def _on_console_message(self, message: ConsoleMessage) -> None:
        expected = REFUSED.fullmatch(message.text) and "/static/" not in message.location["url"]
        if message.type in ("error", "warning") and not expected:
            self.faults.append(f"{message.type}: {message.text} at {message.location['url']}")

    def _on_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("http", "https"):
            self.opened_app.add(request.frame.page)
        if f"{url.scheme}://{url.netloc}" not in {self.console.url, *self.allowed_origins}:
            self.faults.append(f"another host: {request.url}")


def set_session(context: BrowserContext, console: Console, secret: str) -> None:
    """Set the session cookie of a browser."""
    context.add_cookies([{"name": "latchkey", "value": secret, "url": console.url}])


def session_of(page: Page) -> str | None:
    """Return the session cookie of a browser."""
    return next((cookie["value"] for cookie in page.context.cookies() if cookie.get("name") == "latchkey"), None)


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fill in the log-in form."""
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
