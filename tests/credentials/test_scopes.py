"""What a credential may do."""

from chalicelib.credentials import scopes


def test_scopes_are_those_of_the_reference() -> None:
    """Each is described, and the two of admins are no one else's."""
    assert list(scopes.ORDINARY) == ["read", "write", "keys", "events", "webhooks"]
    assert list(scopes.ALL) == [*scopes.ORDINARY, "admin", "verify"]
    assert list(scopes.ABOUT) == list(scopes.ALL)


def test_scopes_of_admins_are_for_admins() -> None:
    """Without the flag `admin` and `verify` are worth nothing."""
    assert scopes.held_by(scopes.ALL, admin=False) == set(scopes.ORDINARY)
    assert scopes.held_by(scopes.ALL, admin=True) == set(scopes.ALL)


def test_scopes_are_shown_in_the_documented_order() -> None:
    """Whatever order they were given in, once each."""
    assert scopes.in_order(["admin", "keys", "read", "keys"]) == ["read", "keys", "admin"]
    assert scopes.joined(["admin", "keys", "read", "keys"]) == "read keys admin"
