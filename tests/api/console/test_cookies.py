"""The session cookie is only accepted under its exact name."""

import pytest

from tests.support.console_client import ConsoleClient, logged_in, person
from tests.support.harness import TestApp


def logged_in_by(latchkey: TestApp, cookie: str) -> bool:
    """Return whether a browser with this Cookie header is logged in."""
    return ConsoleClient(latchkey).open("/settings/account", Cookie=cookie).status == 200


@pytest.mark.parametrize("before", ["\xa0", "\x85", "\u2000", "\u3000", "\x0c", "\x0b", "\x1f", "\ufeff", "\r", "\n"])
def test_other_whitespace_is_part_of_the_cookie_name(latchkey: TestApp, before: str) -> None:
    """A sibling host can set cookies of any other name, and only `__Host-` keeps it from setting the console's."""
    console = logged_in(latchkey, person())
    name, secret = console.cookie_name("latchkey"), console.session
    assert logged_in_by(latchkey, f"{name}={secret}")
    assert not logged_in_by(latchkey, f"{before}{name}={secret}")
    assert not logged_in_by(latchkey, f"a=b;{before}{name}={secret}")
    assert not logged_in_by(latchkey, f"{name}{before}={secret}")


@pytest.mark.parametrize(
    "header", ["{}", " {}", "\t{} ", "a=b; {}", "a=b;{};c=d", "a; {}", "é=1; {}", "=x; {}", ";;{}"]
)
def test_cookie_is_found_among_others(latchkey: TestApp, header: str) -> None:
    """Other cookies of the domain are ignored; spaces and tabs may separate them."""
    console = logged_in(latchkey, person())
    assert logged_in_by(latchkey, header.format(f"{console.cookie_name('latchkey')}={console.session}"))


def test_first_cookie_of_a_name_counts(latchkey: TestApp) -> None:
    """Browsers send the cookie with the longer path first, then the older one."""
    console = logged_in(latchkey, person())
    name, secret = console.cookie_name("latchkey"), console.session
    assert logged_in_by(latchkey, f"{name}={secret}; {name}=other")
    assert not logged_in_by(latchkey, f"{name}=other; {name}={secret}")


def test_cookie_without_a_value_is_ignored(latchkey: TestApp) -> None:
    """Neither a bare name nor a name in other letter case is the session."""
    console = logged_in(latchkey, person())
    name, secret = console.cookie_name("latchkey"), console.session
    assert logged_in_by(latchkey, f"{name}; {name}={secret}")
    assert not logged_in_by(latchkey, f"{name.upper()}={secret}")
