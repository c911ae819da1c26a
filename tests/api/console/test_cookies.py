"""The session cookie is only accepted under its exact name."""

import pytest

from tests.support.console_client import ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp


def logged_in_by(latchkey: TestApp, cookie: str) -> bool:
    """Return whether a browser with this Cookie header is logged in."""
    return ConsoleClient(latchkey).open("/settings/account", Cookie=cookie).status == 200


@pytest.mark.parametrize("before", ["\xa0", "\x85", "\u2000", "\u3000", "\x0c", "\x0b", "\x1f", "\ufeff", "\r", "\n"])
def test_other_whitespace_is_part_of_the_cookie_name(latchkey: TestApp, before: str) -> None:
    """Only spaces and tabs separate cookies, so other whitespace can't be used to forge a `__Host-` cookie."""
    console = log_in_as(latchkey, new_account())
    name, secret = console.cookie_name("latchkey"), console.session
    assert logged_in_by(latchkey, f"{name}={secret}")
    assert not logged_in_by(latchkey, f"{before}{name}={secret}")
    assert not logged_in_by(latchkey, f"a=b;{before}{name}={secret}")
    assert not logged_in_by(latchkey, f"{name}{before}={secret}")


@pytest.mark.parametrize(
    "header", ["{}", " {}", "\t{} ", "a=b; {}", "a=b;{};c=d", "a; {}", "é=1; {}", "=x; {}", ";;{}"]
)
def test_cookie_is_found_among_others(latchkey: TestApp, header: str) -> None:
    """The session cookie is found among other cookies, separated by spaces or tabs."""
    console = log_in_as(latchkey, new_account())
    assert logged_in_by(latchkey, header.format(f"{console.cookie_name('latchkey')}={console.session}"))


def test_first_cookie_of_a_name_counts(latchkey: TestApp) -> None:
    """Of several cookies with one name the first counts: browsers send the one with the longest path first."""
    console = log_in_as(latchkey, new_account())
    name, secret = console.cookie_name("latchkey"), console.session
    assert logged_in_by(latchkey, f"{name}={secret}; {name}=other")
    assert not logged_in_by(latchkey, f"{name}=other; {name}={secret}")


def test_cookie_without_a_value_is_ignored(latchkey: TestApp) -> None:
    """A cookie without a value, or with its name in another case, is ignored."""
    console = log_in_as(latchkey, new_account())
    name, secret = console.cookie_name("latchkey"), console.session
    assert logged_in_by(latchkey, f"{name}; {name}={secret}")
    assert not logged_in_by(latchkey, f"{name.upper()}={secret}")
