"""After log-in, the parameter `next` redirects to a page of the console only."""

from urllib.parse import quote

import pytest

from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp

ELSEWHERE = [
    "//[",
    "https://[",
    "//[::1",
    "/\\[",
    "//evil.example",
    "\\\\evil.example",
    "/a\tb",
    "http://[x]:y/",
    "é",
    "[",
]


@pytest.mark.parametrize("after", ELSEWHERE)
def test_invalid_next_leads_to_the_settings(latchkey: TestApp, after: str) -> None:
    """An invalid `next` redirects to the settings."""
    account = new_account()
    for path in ("/login", "/signup"):
        assert ConsoleClient(latchkey).open(f"{path}?next={quote(after, safe='')}").status == 200
    assert log_in_as(latchkey, account).open(f"/login?next={quote(after, safe='')}").location == "/settings"
    page = ConsoleClient(latchkey).submit("/login", on="/login", email=account.email, password=PASSWORD, next=after)
    assert (page.status, page.location) == (303, "/settings")


@pytest.mark.parametrize("after", ["/settings/usage", "/oauth/authorize?state=[", "/[", "/settings/keys?x=//["])
def test_path_of_this_console_is_accepted(latchkey: TestApp, after: str) -> None:
    """A `next` that begins with a path of the console is accepted, with any characters after the path."""
    account = new_account()
    assert log_in_as(latchkey, account).open(f"/login?next={quote(after, safe='')}").location == after
