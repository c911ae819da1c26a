"""Which cookie is the session: the one that a browser has under exactly that name."""

import pytest

from tests.house import House
from tests.visitor import Visitor, logged_in, person


def logged_in_by(home: House, cookie: str) -> bool:
    """Tell whether a browser that sends this header is taken for somebody."""
    return Visitor(home).open("/settings/account", Cookie=cookie).status == 200


@pytest.mark.parametrize("before", ["\xa0", "\x85", "\u2000", "\u3000", "\x0c", "\x0b", "\x1f", "\ufeff", "\r", "\n"])
def test_other_spaces_belong_to_the_name_of_a_cookie(home: House, before: str) -> None:
    """A sibling host may set a cookie of any other name, and only `__Host-` keeps it from setting ours."""
    visitor = logged_in(home, person())
    name, secret = visitor.cookie_name("latchkey"), visitor.session
    assert logged_in_by(home, f"{name}={secret}")
    assert not logged_in_by(home, f"{before}{name}={secret}")
    assert not logged_in_by(home, f"a=b;{before}{name}={secret}")
    assert not logged_in_by(home, f"{name}{before}={secret}")


@pytest.mark.parametrize(
    "header", ["{}", " {}", "\t{} ", "a=b; {}", "a=b;{};c=d", "a; {}", "é=1; {}", "=x; {}", ";;{}"]
)
def test_cookie_is_found_among_others(home: House, header: str) -> None:
    """Whatever else is in a domain's jar; spaces and tabs stand between."""
    visitor = logged_in(home, person())
    assert logged_in_by(home, header.format(f"{visitor.cookie_name('latchkey')}={visitor.session}"))


def test_first_cookie_of_a_name_counts(home: House) -> None:
    """Browsers send the one of the nearer path first, then the older one."""
    visitor = logged_in(home, person())
    name, secret = visitor.cookie_name("latchkey"), visitor.session
    assert logged_in_by(home, f"{name}={secret}; {name}=other")
    assert not logged_in_by(home, f"{name}=other; {name}={secret}")


def test_cookie_without_a_value_is_none(home: House) -> None:
    """Neither a name alone nor one in other letters is ours."""
    visitor = logged_in(home, person())
    name, secret = visitor.cookie_name("latchkey"), visitor.session
    assert logged_in_by(home, f"{name}; {name}={secret}")
    assert not logged_in_by(home, f"{name.upper()}={secret}")
