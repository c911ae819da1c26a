"""`next` after log-in accepts paths of the console only; anything else leads to the keys."""

from urllib.parse import quote

import pytest

from tests.support.console_client import PASSWORD, ConsoleClient, logged_in, person
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
def test_invalid_next_leads_to_the_keys(latchkey: TestApp, after: str) -> None:
    """This also holds for text that no URL parser accepts, before, during and after log-in."""
    account = person()
    for path in ("/login", "/signup"):
        assert ConsoleClient(latchkey).open(f"{path}?next={quote(after, safe='')}").status == 200
    assert logged_in(latchkey, account).open(f"/login?next={quote(after, safe='')}").location == "/settings/keys"
    page = ConsoleClient(latchkey).submit("/login", on="/login", email=account.email, password=PASSWORD, next=after)
    assert (page.status, page.location) == (303, "/settings/keys")


@pytest.mark.parametrize("after", ["/settings/usage", "/oauth/authorize?state=[", "/[", "/settings/keys?x=//["])
def test_path_of_this_console_is_accepted(latchkey: TestApp, after: str) -> None:
    """Any characters may follow."""
    account = person()
    assert logged_in(latchkey, account).open(f"/login?next={quote(after, safe='')}").location == after
