"""Where to go after log-in: a path of this console; anything else, whatever it is, leads home."""

from urllib.parse import quote

import pytest

from tests.house import House
from tests.visitor import PASSWORD, Visitor, logged_in, person

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
def test_what_is_no_path_leads_home(home: House, after: str) -> None:
    """Also what no parser takes for a URL: nothing fails, before log-in, at it, and after it."""
    account = person()
    for path in ("/login", "/signup"):
        assert Visitor(home).open(f"{path}?next={quote(after, safe='')}").status == 200
    assert logged_in(home, account).open(f"/login?next={quote(after, safe='')}").location == "/settings/keys"
    page = Visitor(home).submit("/login", on="/login", email=account.email, password=PASSWORD, next=after)
    assert (page.status, page.location) == (303, "/settings/keys")


@pytest.mark.parametrize("after", ["/settings/usage", "/oauth/authorize?state=[", "/[", "/settings/keys?x=//["])
def test_path_of_this_console_is_gone_to(home: House, after: str) -> None:
    """Whatever else it holds."""
    account = person()
    assert logged_in(home, account).open(f"/login?next={quote(after, safe='')}").location == after
