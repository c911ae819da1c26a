"""One Chromium for all browser tests of a process, and a fresh page for each."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import chromium

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
