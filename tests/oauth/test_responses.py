"""All responses of the authorization server: headers, CORS, rate limits and errors."""

from dataclasses import replace

import pytest

from chalicelib.core import secrets, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import tiers
from chalicelib.limits.tiers import REGISTRATIONS
from infra.local_gateway.response import Response
from tests.oauth.flow import CALLBACK, CLIENT, DEVICE, App, User, as_json, basic, error_of, post, register_client
from tests.support.harness import TestApp

LIMITS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
IP = "203.0.113.7"
OPEN = (
    ("POST", "/oauth/token"),
    ("POST", "/oauth/revoke"),
    ("POST", "/oauth/register"),
    ("POST", "/oauth/device_authorization"),
    ("GET", "/oauth/register/app_00000000000000000000"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/oauth-protected-resource"),
    ("GET", "/.well-known/oauth-protected-resource/v1"),
)
CLOSED = (
    ("GET", "/oauth/authorize"),
    ("POST", "/oauth/authorize"),
    ("GET", "/device"),
    ("POST", "/device"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/settings/connected"),
    ("POST", "/oauth/introspect"),
)


def send(latchkey: TestApp, method: str, path: str, **headers: str) -> Response:
    """Send a request that every route answers with a success or with an OAuth error."""
    kind = {"Content-Type": "application/json" if path == "/oauth/register" else "application/x-www-form-urlencoded"}
    return latchkey.call(method, path, body=b"{}" if method == "POST" else b"", headers={**kind, **headers})


@pytest.mark.parametrize("origin", ["*", "https://spa.example"])
def test_client_endpoints_and_discovery_allow_cross_origin_requests(latchkey: TestApp, origin: str) -> None:
    """Scripts of the configured origin may read responses and errors."""
    with settings.override(replace(settings.current(), allowed_origin=origin)):
        for method, path in OPEN:
            preflight = latchkey.call("OPTIONS", path, headers={"Origin": "https://spa.example"})
            assert (preflight.status, preflight.header("Access-Control-Allow-Origin")) == (200, origin), path
            assert method in str(preflight.header("Access-Control-Allow-Methods"))
            response = send(latchkey, method, path, Origin="https://spa.example")
            assert response.header("Access-Control-Allow-Origin") == origin, path
            assert "Retry-After" in str(response.header("Access-Control-Expose-Headers"))
            assert response.header("Access-Control-Allow-Credentials") is None


def test_pages_and_introspection_deny_cross_origin_requests(latchkey: TestApp) -> None:
    """Scripts of other origins can't read the consent page or introspection responses."""
    for method, path in CLOSED:
        assert latchkey.call("OPTIONS", path, headers={"Origin": "https://spa.example"}).status == 404
        response = send(latchkey, method, path, Origin="https://spa.example")
        assert response.header("Access-Control-Allow-Origin") is None, path


def test_every_response_has_rate_limit_headers(latchkey: TestApp, ada: User, app: App, spa: App) -> None:
    """Successes, errors, pages and redirects have the headers of the limit that counted the request."""
    responses = [
        app.ask(CLIENT),
        app.ask("nonsense"),
        app.post("/oauth/revoke", token="x"),
        app.post("/oauth/introspect", token="x"),
        app.post("/oauth/device_authorization"),
    ]
    assert {response.header("X-RateLimit-Limit") for response in responses} == {"36000"}
    assert [response.header("X-RateLimit-Remaining") for response in responses] == [str(35_999 - at) for at in range(5)]
    strangers = [
        spa.ask(CLIENT),
        post(latchkey, "/oauth/token", {}),
        latchkey.call("GET", "/.well-known/oauth-authorization-server"),
        latchkey.call("GET", "/oauth/register/nobody"),
        ada.open_authorization(app).answer,
        ada.open_authorization(app, scope="nonsense").answer,
        ada.open("/oauth/authorize").answer,
    ]
    assert {response.header("X-RateLimit-Limit") for response in strangers} == {"3600"}
    registering = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK]})
    assert registering.header("X-RateLimit-Limit") == str(REGISTRATIONS.quota)
    for response in (*responses, *strangers, registering):
        assert all(response.header(name) for name in (*LIMITS, "RateLimit", "RateLimit-Policy"))


def test_rate_limit_error_has_both_formats(latchkey: TestApp, app: App, spa: App) -> None:
    """Every 429, even one from the local cache, has the `message` of the API and the `error_description` of OAuth."""
    latchkey.set_counters(f"client_{app.id}", tiers.CLIENT, used=36_000)
    latchkey.set_counters(f"ip_{IP}", tiers.ANONYMOUS, used=3_600)
    reset = str(latchkey.clock.now_ms // 1000 + 3_600)
    for client, limit in ((app, "36000"), (spa, "3600")):
        for _ in range(2):
            response = client.ask(CLIENT)
            message = "Rate limit exceeded. Try again in 3600 seconds."
            assert response.json() == {"error": "rate_limit_exceeded", "error_description": message, "message": message}
            assert error_of(response) == (429, "rate_limit_exceeded")
            assert response.header("Retry-After") == "3600"
            assert [response.header(name) for name in LIMITS] == [limit, "0", reset]
            assert response.header("Access-Control-Allow-Origin") == "*"


def test_client_has_its_own_limit_at_every_address(latchkey: TestApp, app: App) -> None:
    """A client's limit is the same from every address, and independent of its network and of other clients."""
    other = register_client(latchkey)
    latchkey.set_counters(f"ip_{IP}", tiers.ANONYMOUS, used=3_600)
    assert post(latchkey, "/oauth/token", {}).status == 429
    assert app.ask(CLIENT).status == 200
    latchkey.set_counters(f"client_{app.id}", tiers.CLIENT, used=36_000)
    sent = {"grant_type": CLIENT, **app.credentials}
    assert [post(latchkey, "/oauth/token", sent, ip=ip).status for ip in (IP, "192.0.2.1")] == [429, 429]
    assert other.ask(CLIENT).status == 200


def test_client_limit_is_not_used_by_impersonators(latchkey: TestApp, app: App, spa: App) -> None:
    """Requests with a wrong secret, or with a public client's id, count against the limit of their address, not the
    client's.
    """
    latchkey.set_counters(f"client_{app.id}", tiers.CLIENT, used=10)
    for credentials in ({"client_id": app.id, "client_secret": "x"}, {"client_id": app.id}, {"client_id": spa.id}):
        post(latchkey, "/oauth/token", {"grant_type": CLIENT, **credentials}, ip="192.0.2.66")
    post(latchkey, "/oauth/token", {"grant_type": CLIENT}, headers=basic(app.id, "x"), ip="192.0.2.66")
    assert latchkey.counters("ip_192.0.2.66", tiers.ANONYMOUS)["used"] == 4
    assert latchkey.counters(f"client_{app.id}", tiers.CLIENT)["used"] == 10
    assert latchkey.counters(f"client_{spa.id}", tiers.CLIENT) == {}
    latchkey.set_counters("ip_192.0.2.66", tiers.ANONYMOUS, used=3_600)
    assert post(latchkey, "/oauth/token", {"client_id": spa.id}, ip="192.0.2.66").status == 429
    assert spa.post("/oauth/revoke", token="x").status == 200


def test_token_request_counts_on_the_account_that_consented(latchkey: TestApp, ada: User, app: App) -> None:
    """A request with a token counts against the quota of the account that consented. The usage of each app is counted
    separately, too.
    """
    other = register_client(latchkey)
    for client in (app, other, other):
        latchkey.call("GET", "/v1/limits", ada.grant(client)[0])
    counters = latchkey.counters(ada.account.id)
    assert (counters["used"], counters[f"c{app.id[-7:]}"], counters[f"c{other.id[-7:]}"]) == (3, 1, 2)


def test_pending_device_polls_are_not_client_errors(latchkey: TestApp, app: App) -> None:
    """A pending poll counts against the limit, and isn't a client error in the metrics."""
    device_code = app.post("/oauth/device_authorization").json()["device_code"]
    assert error_of(app.ask(DEVICE, device_code=device_code)) == (400, "authorization_pending")
    assert latchkey.counters(f"client_{app.id}", tiers.CLIENT)["used"] == 2


def test_internal_error_has_the_format_of_oauth(latchkey: TestApp, app: App) -> None:
    """A 500 has the OAuth format with the request id, contains no details and isn't cached."""
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("tickets")})
    for response in (app.refresh(secrets.mint("rt")), app.post("/oauth/device_authorization")):
        assert error_of(response) == (500, "internal_error")
        assert str(response.header("x-amzn-RequestId")) in response.json()["error_description"]
        assert response.header("Access-Control-Allow-Origin") == "*"
