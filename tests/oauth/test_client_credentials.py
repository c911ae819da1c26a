"""The client credentials grant: tokens that act for the client's own account."""

from chalicelib.accounts.roles import service_user_of
from chalicelib.limits import tiers
from chalicelib.oauth import delete_client
from tests.oauth.flow import CLIENT, CODE, ISSUER, App, User, error_of, is_accepted, new_user, register_client
from tests.support.harness import TestApp


def test_client_token_acts_for_the_account_of_the_client(latchkey: TestApp, app: App) -> None:
    """Requests with a client token count against the client's account, and there is no refresh token (RFC 6749
    §4.4.3).
    """
    body = app.ask(CLIENT).json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    account_id = str(app.client.account_id)
    assert latchkey.call("GET", "/v1/users/me", body["access_token"]).json()["id"] == service_user_of(account_id)
    assert latchkey.counters(account_id, tiers.FREE)["used"] == 1


def test_client_token_scope_defaults_to_read(latchkey: TestApp) -> None:
    """Scopes that the client isn't registered for are dropped; if none remains the request is an error."""
    app, reader, writer = (
        register_client(latchkey),
        register_client(latchkey, scopes=["read"]),
        register_client(latchkey, scopes=["write"]),
    )
    assert app.ask(CLIENT).json()["scope"] == "read"
    assert app.ask(CLIENT, scope="write read").json()["scope"] == "read write"
    assert reader.ask(CLIENT, scope="read write").json()["scope"] == "read"
    assert writer.ask(CLIENT).json()["scope"] == "write"
    assert error_of(reader.ask(CLIENT, scope="write")) == (400, "invalid_scope")


def test_client_token_scope_excludes_keys_and_admin(latchkey: TestApp) -> None:
    """A client token never has the scope `keys` or `admin`, even if an admin's account registered the client."""
    app = register_client(latchkey, owner=latchkey.account(admin=True))
    for scope in ("keys", "admin", "verify", "events", "webhooks", "read keys", "openid keys", 'read"', "READ"):
        assert error_of(app.ask(CLIENT, scope=scope)) == (400, "invalid_scope"), scope


def test_openid_connect_scopes_are_ignored(latchkey: TestApp) -> None:
    """OpenID Connect scopes are dropped, and a request with no other scope gets `read`."""
    app = register_client(latchkey)
    for scope, expected in (("openid profile offline_access email", "read"), ("openid write", "write")):
        assert app.ask(CLIENT, scope=scope).json()["scope"] == expected


def test_public_client_gets_no_client_token(latchkey: TestApp, spa: App) -> None:
    """A public client gets no client token, because anyone can use its client_id."""
    assert error_of(spa.ask(CLIENT)) == (400, "unauthorized_client")


def test_client_without_the_grant_type_gets_no_client_token(latchkey: TestApp) -> None:
    """A client may use only the grant types that it was registered for."""
    assert error_of(register_client(latchkey, grant_types=[CODE]).ask(CLIENT)) == (400, "unauthorized_client")


def test_client_token_may_name_its_resource(latchkey: TestApp, app: App) -> None:
    """A client token that is requested for this API's URL is accepted by this API."""
    assert is_accepted(latchkey, app.ask(CLIENT, resource=f"{ISSUER}/v1").json()["access_token"])
    assert error_of(app.ask(CLIENT, resource="https://evil.example")) == (400, "invalid_target")


def test_client_token_is_invalid_when_the_account_is_suspended(latchkey: TestApp) -> None:
    """After the suspension of its account, a client token is rejected from the next request on, despite the cached
    policy.
    """
    owner = new_user(latchkey)
    token = register_client(latchkey, owner=owner.account).ask(CLIENT).json()["access_token"]
    assert is_accepted(latchkey, token)
    owner.suspend()
    assert not is_accepted(latchkey, token)


def test_client_token_is_invalid_when_the_client_is_deleted(latchkey: TestApp, app: App) -> None:
    """Client tokens are invalid from the next request after their client is deleted."""
    token = app.ask(CLIENT).json()["access_token"]
    assert is_accepted(latchkey, token)
    delete_client.delete(app.client)
    assert not is_accepted(latchkey, token)


def test_client_token_is_not_revoked_by_disconnecting(latchkey: TestApp, ada: User, app: App) -> None:
    """When a user disconnects an app, the app's token for its own account stays valid."""
    own, granted = app.ask(CLIENT).json()["access_token"], ada.grant(app)[0]
    ada.submit("/settings/connected", client_id=app.id)
    assert (is_accepted(latchkey, own), is_accepted(latchkey, granted)) == (True, False)
