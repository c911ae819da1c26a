"""Scopes of credentials."""

from chalicelib.credentials import scopes


def test_scopes_are_those_of_the_reference() -> None:
    """Each has a description, and two are for admins only."""
    assert list(scopes.ORDINARY) == ["read", "write", "keys", "events", "webhooks"]
    assert list(scopes.ALL) == [*scopes.ORDINARY, "admin", "verify"]
    assert list(scopes.DESCRIPTIONS) == list(scopes.ALL)


def test_admin_scopes_require_the_admin_flag() -> None:
    """Without it `admin` and `verify` have no effect."""
    assert scopes.effective(scopes.ALL, admin=False) == set(scopes.ORDINARY)
    assert scopes.effective(scopes.ALL, admin=True) == set(scopes.ALL)


def test_scopes_are_listed_in_documented_order() -> None:
    """Without duplicates, whatever the given order."""
    assert scopes.in_order(["admin", "keys", "read", "keys"]) == ["read", "keys", "admin"]
    assert scopes.join(["admin", "keys", "read", "keys"]) == "read keys admin"
