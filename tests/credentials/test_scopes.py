"""The scopes of credentials."""

from chalicelib.credentials import scopes


def test_scopes_are_those_of_the_reference() -> None:
    """The scopes are those of the reference; each has a description, and two are for admins only."""
    assert list(scopes.ORDINARY) == ["read", "write", "keys", "events", "webhooks"]
    assert list(scopes.ALL) == [*scopes.ORDINARY, "admin", "verify"]
    assert list(scopes.DESCRIPTIONS) == list(scopes.ALL)


def test_admin_scopes_require_the_admin_flag() -> None:
    """The scopes `admin` and `verify` have no effect without the account's admin flag."""
    assert scopes.effective(scopes.ALL, admin=False) == set(scopes.ORDINARY)
    assert scopes.effective(scopes.ALL, admin=True) == set(scopes.ALL)


def test_scopes_are_listed_in_documented_order() -> None:
    """Scopes are listed without duplicates in the documented order."""
    assert scopes.in_order(["admin", "keys", "read", "keys"]) == ["read", "keys", "admin"]
    assert scopes.join(["admin", "keys", "read", "keys"]) == "read keys admin"
