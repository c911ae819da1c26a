"""One Chromium for all browser tests of a process, and a clean profile for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import chromium
from tests.browser.browser_users import BrowserUsers, Profiles
from tests.browser.cast import Cast
from tests.browser.console import Console, served

# The timeout is long, because the machine may also run other tests. Each wait ends as soon as its condition is true.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    executable = chromium.path()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=[*chromium.ARGUMENTS])
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page in a new profile."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console with its own database and a limit of 3 log-in attempts."""
    with served(tmp_path_factory.mktemp("console"), LATCHKEY_LOG_IN_ATTEMPTS_PER_EMAIL="3") as running:
        yield running


@pytest.fixture(scope="session")
def cast(console: Console) -> Cast:
    """The users whose pages are tested."""
    return Cast(console)


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> Profiles:
    """The profiles that tests reuse."""
    return Profiles(browser)


@pytest.fixture
def users(profiles: Profiles, console: Console) -> Iterator[BrowserUsers]:
    """Users with browsers at the console; afterwards, their pages must have reported no fault."""
    users = BrowserUsers(profiles, console)
    yield users
    users.leave()
    assert users.faults == []
