"""A client in its own name: counted on its owner, for at most an hour, without a refresh token."""

from chalicelib.limits import tiers
from chalicelib.oauth import delete_client
from tests.oauth.flow import CLIENT, CODE, ISSUER, App, Person, refusal, registered, someone, works
from tests.support.harness import TestApp


def test_token_of_a_client_itself_acts_for_its_owner(latchkey: TestApp, app: App) -> None:
    """There is no refresh token (RFC 6749 §4.4.3), and its requests are the owner's."""
    body = app.ask(CLIENT).json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert latchkey.call("GET", "/v1/users/me", body["access_token"]).json()["id"] == app.client.account_id
    assert latchkey.counters(str(app.client.account_id), tiers.FREE)["used"] == 1


def test_scope_of_a_client_itself_is_read_unless_it_asks(latchkey: TestApp) -> None:
    """What it may have at most was said when it was registered; more than that is left out, or refused if it's all."""
    app, reader, writer = (
        registered(latchkey),
        registered(latchkey, scopes=["read"]),
        registered(latchkey, scopes=["write"]),
    )
    assert app.ask(CLIENT).json()["scope"] == "read"
    assert app.ask(CLIENT, scope="write read").json()["scope"] == "read write"
    assert reader.ask(CLIENT, scope="read write").json()["scope"] == "read"
    assert writer.ask(CLIENT).json()["scope"] == "write"
    assert refusal(reader.ask(CLIENT, scope="write")) == (400, "invalid_scope")


def test_scope_that_oauth_never_grants_is_refused(latchkey: TestApp) -> None:
    """No token can make keys that outlive it, nor administer, whoever owns the client."""
    app = registered(latchkey, owner=latchkey.account(admin=True))
    for scope in ("keys", "admin", "verify", "events", "webhooks", "read keys", "openid keys", 'read"', "READ"):
        assert refusal(app.ask(CLIENT, scope=scope)) == (400, "invalid_scope"), scope


def test_openid_connects_scopes_are_dropped(latchkey: TestApp) -> None:
    """As if they weren't there: alone they are `read`, as without a scope."""
    app = registered(latchkey)
    for scope, expected in (("openid profile offline_access email", "read"), ("openid write", "write")):
        assert app.ask(CLIENT, scope=scope).json()["scope"] == expected


def test_public_client_has_no_token_of_its_own(latchkey: TestApp, spa: App) -> None:
    """Anyone can pose as it."""
    assert refusal(spa.ask(CLIENT)) == (400, "unauthorized_client")


def test_client_without_the_grant_type_has_no_token_of_its_own(latchkey: TestApp) -> None:
    """It may use what it was registered for."""
    assert refusal(registered(latchkey, grant_types=[CODE]).ask(CLIENT)) == (400, "unauthorized_client")


def test_token_of_a_client_itself_may_name_its_resource(latchkey: TestApp, app: App) -> None:
    """One for this API works here."""
    assert works(latchkey, app.ask(CLIENT, resource=f"{ISSUER}/v1").json()["access_token"])
    assert refusal(app.ask(CLIENT, resource="https://evil.example")) == (400, "invalid_target")


def test_token_of_a_client_itself_stops_with_its_owner(latchkey: TestApp) -> None:
    """Suspended: the tokens stop at the next request, though the gateway has them cached."""
    owner = someone(latchkey)
    token = registered(latchkey, owner=owner.account).ask(CLIENT).json()["access_token"]
    assert works(latchkey, token)
    owner.suspended()
    assert not works(latchkey, token)


def test_token_of_a_client_itself_stops_with_the_client(latchkey: TestApp, app: App) -> None:
    """Deleting a client ends the tokens it has in its own name, at the next request."""
    token = app.ask(CLIENT).json()["access_token"]
    assert works(latchkey, token)
    delete_client.delete(app.client)
    assert not works(latchkey, token)


def test_token_of_a_client_itself_is_not_ended_by_a_person(latchkey: TestApp, ada: Person, app: App) -> None:
    """Who disconnects an app ends what it may do for them, no more."""
    own, granted = app.ask(CLIENT).json()["access_token"], ada.grant(app)[0]
    ada.submit("/settings/connected", client_id=app.id)
    assert (works(latchkey, own), works(latchkey, granted)) == (True, False)
