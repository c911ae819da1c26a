"""Dynamic client registration (RFC 7591): who may register, and the flows of a registered client."""

from chalicelib.core import secrets
from chalicelib.limits.tiers import REGISTRATIONS
from tests.oauth.dynamic_registration import BAD_METADATA, NO_TOKEN, REGISTER, app_of, configure_registration, register
from tests.oauth.flow import (
    CALLBACK,
    CLIENT,
    CODE,
    DEVICE,
    ISSUER,
    LOOPBACK,
    REFRESH,
    User,
    as_json,
    error_of,
    is_accepted,
)
from tests.support.harness import TestApp


def test_client_with_a_redirect_uri_only_gets_the_defaults(latchkey: TestApp) -> None:
    """RFC 7591 §2: by default a client has the code grant, HTTP Basic, a secret and a registration access token."""
    body = register(latchkey)
    now_s = latchkey.clock.now_ms // 1000
    assert body == {
        "client_id": body["client_id"],
        "client_id_issued_at": now_s,
        "client_name": "Unnamed application",
        "redirect_uris": [CALLBACK],
        "grant_types": [CODE],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "read write",
        "registration_client_uri": f"{ISSUER}/oauth/register/{body['client_id']}",
        "registration_access_token": body["registration_access_token"],
        "client_secret": body["client_secret"],
        "client_secret_expires_at": 0,
    }
    assert (secrets.kind_of(body["client_secret"]), secrets.kind_of(body["registration_access_token"])) == ("cs", "ra")


def test_public_client_gets_no_secret(latchkey: TestApp, ada: User) -> None:
    """A public client gets no secret, completes the flow, and is marked as unverified."""
    body = register(
        latchkey,
        redirect_uris=[LOOPBACK],
        token_endpoint_auth_method="none",
        grant_types=[CODE, REFRESH],
        client_name="Terminal",
        client_uri="https://terminal.example",
        scope="read openid",
        software_id="unheard of",
    )
    assert not {"client_secret", "client_secret_expires_at", "software_id"} & body.keys()
    assert (body["scope"], body["client_name"], body["client_uri"]) == ("read", "Terminal", "https://terminal.example")
    app = app_of(latchkey, body)
    page = ada.open_authorization(app, scope="read write")
    assert "Terminal" in page.text
    assert "Unverified" in page.text
    tokens = ada.tokens(app, scope="read write")
    assert (tokens["scope"], is_accepted(latchkey, tokens["access_token"])) == ("read", True)
    assert "Unverified" in ada.open("/settings/connected").text


def test_confidential_client_completes_the_flow(latchkey: TestApp, ada: User) -> None:
    """A self-registered confidential client can use its secret, and its consent is remembered."""
    app = app_of(latchkey, register(latchkey, grant_types=[CODE, REFRESH, DEVICE], client_name="Server"))
    _, refresh = ada.grant(app)
    assert app.refresh(refresh).status == 200
    assert app.post("/oauth/device_authorization").status == 200
    assert ada.open_authorization(app).status == 303


def test_self_registered_client_gets_no_client_token(latchkey: TestApp) -> None:
    """A self-registered client has no account to count requests against, so it can't use client_credentials."""
    response = as_json(latchkey, REGISTER, {"redirect_uris": [CALLBACK], "grant_types": [CLIENT]})
    assert error_of(response) == BAD_METADATA
    assert error_of(app_of(latchkey, register(latchkey)).ask(CLIENT)) == (400, "unauthorized_client")


def test_device_client_needs_no_redirect_uri(latchkey: TestApp) -> None:
    """RFC 7591 §2.1: a client without the code grant has no redirect URI and no response type."""
    response = as_json(
        latchkey, REGISTER, {"grant_types": [DEVICE], "response_types": [], "token_endpoint_auth_method": "none"}
    )
    assert (response.status, response.json()["response_types"], response.json()["redirect_uris"]) == (201, [], [])


def test_all_advertised_values_can_be_registered(latchkey: TestApp) -> None:
    """A client can register every value of the server metadata, except client_credentials."""
    metadata = latchkey.call("GET", "/.well-known/oauth-authorization-server").json()
    advertised = metadata["grant_types_supported"]
    assert set(register(latchkey, grant_types=advertised)["grant_types"]) == set(advertised) - {CLIENT}
    for grant_type in set(advertised) - {CLIENT}:
        latchkey.clock.forward(1)
        assert register(latchkey, grant_types=[grant_type])["grant_types"] == [grant_type]
    for method in metadata["token_endpoint_auth_methods_supported"]:
        latchkey.clock.forward(1)
        assert register(latchkey, token_endpoint_auth_method=method)["token_endpoint_auth_method"] == method
    every = " ".join(metadata["scopes_supported"])
    assert register(latchkey, scope=every)["scope"] == every
    assert register(latchkey, response_types=metadata["response_types_supported"])["response_types"] == ["code"]


def test_registration_can_be_closed(latchkey: TestApp) -> None:
    """If registration is closed, no token is accepted and the metadata contains no registration endpoint."""
    with configure_registration("closed"):
        assert error_of(as_json(latchkey, REGISTER, {"redirect_uris": [CALLBACK]})) == NO_TOKEN
        assert error_of(as_json(latchkey, REGISTER, {}, Authorization="Bearer closed")) == NO_TOKEN
        assert error_of(as_json(latchkey, REGISTER, {}, Authorization="Bearer ")) == NO_TOKEN
        assert "registration_endpoint" not in latchkey.call("GET", "/.well-known/oauth-authorization-server").json()


def test_registration_can_require_an_initial_token(latchkey: TestApp) -> None:
    """Registration can require an initial access token (RFC 7591 §3.1). The setting contains the token's SHA-256
    digest.
    """
    token = "an initial token of the owner's"
    wanted = {"redirect_uris": [CALLBACK]}
    with configure_registration(secrets.digest(token)):
        for wrong in (
            "",
            "Bearer",
            "Bearer x",
            f"Basic {token}",
            token,
            f"Bearer {secrets.digest(token)}",
            "Bearer é\ud800",
        ):
            assert error_of(as_json(latchkey, REGISTER, wanted, Authorization=wrong)) == NO_TOKEN, wrong
        response = as_json(latchkey, REGISTER, wanted)
        assert error_of(response) == NO_TOKEN
        assert response.header("x-amzn-Remapped-WWW-Authenticate") == 'Bearer error="invalid_token"'
        assert as_json(latchkey, REGISTER, wanted, Authorization=f"bearer {token}").status == 201
        assert latchkey.call("GET", "/.well-known/oauth-authorization-server").json()["registration_endpoint"]


def test_registrations_are_limited_by_network(latchkey: TestApp) -> None:
    """A network may send 100 registrations an hour, including failed ones; another network has its own limit."""
    latchkey.set_counters("registration_203.0.113.7", REGISTRATIONS, used=98)
    good = {"redirect_uris": [CALLBACK]}
    assert [as_json(latchkey, REGISTER, body).status for body in (good, {})] == [201, 400]
    response = as_json(latchkey, REGISTER, good)
    assert error_of(response) == (429, "rate_limit_exceeded")
    assert response.json()["message"] == response.json()["error_description"]
    assert (response.header("Retry-After"), response.header("X-RateLimit-Limit")) == ("3600", "100")
    assert latchkey.call("POST", REGISTER, json_body=good, ip="203.0.113.8").status == 201
