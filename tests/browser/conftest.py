"""One Chromium for all browser tests of a process, and a fresh profile for each."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import chromium
from tests.browser.browser_users import BrowserUsers, Profiles
from tests.browser.console import Console, served
from tests.browser.page_catalog import Cast

# A machine that runs other tests too may be slow; nothing waits longer than it must.
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
    """An empty page of a profile of its own."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console on a database of its own, where 3 attempts to log in are enough."""
    with served(tmp_path_factory.mktemp("console"), LATCHKEY_LOG_IN_ATTEMPTS_PER_EMAIL="3") as running:
        yield running


@pytest.fixture(scope="session")
def cast(console: Console) -> Cast:
    """The people whose pages are looked at."""
    return Cast(console)


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> Profiles:
    """The profiles that tests use one after another."""
    return Profiles(browser)


@pytest.fixture
def users(profiles: Profiles, console: Console) -> Iterator[BrowserUsers]:
    """People with browsers of their own, at the console; afterwards, that nothing went wrong on any page they saw."""
    came = BrowserUsers(profiles, console)
    yield came
    came.leave()
    assert came.faults == []
