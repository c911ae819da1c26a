"""The scopes of credentials, and those that each role can use."""

import pytest

from chalicelib.accounts import roles
from chalicelib.credentials import scopes


def test_scopes_are_those_of_the_reference() -> None:
    """The scopes are those of the reference; each has a description, and two are for admins only."""
    assert list(scopes.ORDINARY) == ["read", "write", "keys", "events", "webhooks", "members"]
    assert list(scopes.ALL) == [*scopes.ORDINARY, "admin", "verify"]
    assert list(scopes.DESCRIPTIONS) == list(scopes.ALL)


@pytest.mark.parametrize("role", roles.ALL)
def test_admin_scopes_require_the_admin_flag(role: str) -> None:
    """The scopes `admin` and `verify` have no effect without the user's admin flag, whatever the role."""
    ordinary = scopes.effective(scopes.ALL, role=role, admin=False)
    assert ordinary.isdisjoint(scopes.ADMIN_ONLY)
    assert scopes.effective(scopes.ALL, role=role, admin=True) == {*ordinary, *scopes.ADMIN_ONLY}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("owner", {"read", "write", "keys", "events", "webhooks", "members"}),
        ("admin", {"read", "write", "keys", "events", "webhooks", "members"}),
        ("developer", {"read", "write", "keys", "events"}),
        ("viewer", {"read", "events"}),
        ("", set()),
        ("root", set()),
    ],
)
def test_role_limits_the_scopes_of_a_credential(role: str, allowed: set[str]) -> None:
    """A credential's rights are those of its scopes that its user's role allows; an unknown role allows none."""
    assert scopes.effective(scopes.ORDINARY, role=role, admin=False) == allowed
    assert scopes.effective(["read"], role=role, admin=False) == allowed & {"read"}
    assert scopes.effective([], role=role, admin=True) == set()


def test_scopes_are_listed_in_documented_order() -> None:
    """Scopes are listed without duplicates in the documented order."""
    assert scopes.in_order(["admin", "keys", "read", "keys"]) == ["read", "keys", "admin"]
    assert scopes.join(["admin", "keys", "read", "keys"]) == "read keys admin"
