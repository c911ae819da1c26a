"""What every answer of the authorization server carries, who may read it from another origin, and who is counted."""

from dataclasses import replace

import pytest

from chalicelib.core import secrets, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import tiers
from chalicelib.limits.tiers import REGISTRATIONS
from infra.local_gateway.response import Response
from tests.oauth.flow import CALLBACK, CLIENT, DEVICE, App, Person, as_json, basic, post, refusal, registered
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
    """Send something that each route refuses, or answers, in its own form."""
    kind = {"Content-Type": "application/json" if path == "/oauth/register" else "application/x-www-form-urlencoded"}
    return latchkey.call(method, path, body=b"{}" if method == "POST" else b"", headers={**kind, **headers})


@pytest.mark.parametrize("origin", ["*", "https://spa.example"])
def test_endpoints_for_clients_and_discovery_answer_other_origins(latchkey: TestApp, origin: str) -> None:
    """A page's script may read answers and errors, and is told so beforehand; only where the owner allows it."""
    with settings.in_use(replace(settings.current(), allowed_origin=origin)):
        for method, path in OPEN:
            preflight = latchkey.call("OPTIONS", path, headers={"Origin": "https://spa.example"})
            assert (preflight.status, preflight.header("Access-Control-Allow-Origin")) == (200, origin), path
            assert method in str(preflight.header("Access-Control-Allow-Methods"))
            answer = send(latchkey, method, path, Origin="https://spa.example")
            assert answer.header("Access-Control-Allow-Origin") == origin, path
            assert "Retry-After" in str(answer.header("Access-Control-Expose-Headers"))
            assert answer.header("Access-Control-Allow-Credentials") is None


def test_pages_and_introspection_never_answer_other_origins(latchkey: TestApp) -> None:
    """What a person decides, and what is secret among servers, is no page's to read."""
    for method, path in CLOSED:
        assert latchkey.call("OPTIONS", path, headers={"Origin": "https://spa.example"}).status == 404
        answer = send(latchkey, method, path, Origin="https://spa.example")
        assert answer.header("Access-Control-Allow-Origin") is None, path


def test_every_answer_carries_its_limits(latchkey: TestApp, ada: Person, app: App, spa: App) -> None:
    """A success, a refusal, a page, a redirect: the numbers of whoever was counted."""
    answers = [
        app.ask(CLIENT),
        app.ask("nonsense"),
        app.post("/oauth/revoke", token="x"),
        app.post("/oauth/introspect", token="x"),
        app.post("/oauth/device_authorization"),
    ]
    assert {answer.header("X-RateLimit-Limit") for answer in answers} == {"36000"}
    assert [answer.header("X-RateLimit-Remaining") for answer in answers] == [str(35_999 - at) for at in range(5)]
    strangers = [
        spa.ask(CLIENT),
        post(latchkey, "/oauth/token", {}),
        latchkey.call("GET", "/.well-known/oauth-authorization-server"),
        latchkey.call("GET", "/oauth/register/nobody"),
        ada.asked(app).answer,
        ada.asked(app, scope="nonsense").answer,
        ada.open("/oauth/authorize").answer,
    ]
    assert {answer.header("X-RateLimit-Limit") for answer in strangers} == {"3600"}
    registering = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK]})
    assert registering.header("X-RateLimit-Limit") == str(REGISTRATIONS.quota)
    for answer in (*answers, *strangers, registering):
        assert all(answer.header(name) for name in (*LIMITS, "RateLimit", "RateLimit-Policy"))


def test_refusal_by_a_limit_speaks_both_languages(latchkey: TestApp, app: App, spa: App) -> None:
    """429 with `message` for who knows our API, `error_description` for who knows OAuth; the second one from memory."""
    latchkey.set_counters(f"client_{app.id}", tiers.CLIENT, used=36_000)
    latchkey.set_counters(f"ip_{IP}", tiers.ANONYMOUS, used=3_600)
    reset = str(latchkey.clock.now_ms // 1000 + 3_600)
    for client, limit in ((app, "36000"), (spa, "3600")):
        for _ in range(2):
            answer = client.ask(CLIENT)
            said = "Rate limit exceeded. Try again in 3600 seconds."
            assert answer.json() == {"error": "rate_limit_exceeded", "error_description": said, "message": said}
            assert refusal(answer) == (429, "rate_limit_exceeded")
            assert answer.header("Retry-After") == "3600"
            assert [answer.header(name) for name in LIMITS] == [limit, "0", reset]
            assert answer.header("Access-Control-Allow-Origin") == "*"


def test_client_is_counted_by_itself_wherever_it_is(latchkey: TestApp, app: App) -> None:
    """Its network's spent limit is not its own, nor another client's; its own is spent from every address."""
    other = registered(latchkey)
    latchkey.set_counters(f"ip_{IP}", tiers.ANONYMOUS, used=3_600)
    assert post(latchkey, "/oauth/token", {}).status == 429
    assert app.ask(CLIENT).status == 200
    latchkey.set_counters(f"client_{app.id}", tiers.CLIENT, used=36_000)
    asked = {"grant_type": CLIENT, **app.credentials}
    assert [post(latchkey, "/oauth/token", asked, ip=ip).status for ip in (IP, "192.0.2.1")] == [429, 429]
    assert other.ask(CLIENT).status == 200


def test_client_cant_be_starved_by_who_poses_as_it(latchkey: TestApp, app: App, spa: App) -> None:
    """Wrong secrets, and public clients' ids, are counted on the address they come from."""
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


def test_request_of_a_token_is_counted_on_the_account_that_consented(latchkey: TestApp, ada: Person, app: App) -> None:
    """Two apps share the person's quota, each under its own name."""
    other = registered(latchkey)
    for client in (app, other, other):
        latchkey.call("GET", "/v1/limits", ada.grant(client)[0])
    counters = latchkey.counters(ada.account.id)
    assert (counters["used"], counters[f"c{app.id[-7:]}"], counters[f"c{other.id[-7:]}"]) == (3, 1, 2)


def test_refusals_of_a_device_are_not_errors_of_its_client(latchkey: TestApp, app: App) -> None:
    """Waiting counts like any request, and an answer that says wait is a 400 with a name of its own."""
    device_code = app.post("/oauth/device_authorization").json()["device_code"]
    assert refusal(app.ask(DEVICE, device_code=device_code)) == (400, "authorization_pending")
    assert latchkey.counters(f"client_{app.id}", tiers.CLIENT)["used"] == 2


def test_fault_of_ours_has_oauths_form(latchkey: TestApp, app: App) -> None:
    """A 500 carries the request's id, no detail, and is kept by nobody."""
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("tickets")})
    for answer in (app.refresh(secrets.mint("rt")), app.post("/oauth/device_authorization")):
        assert refusal(answer) == (500, "internal_error")
        assert str(answer.header("x-amzn-RequestId")) in answer.json()["error_description"]
        assert answer.header("Access-Control-Allow-Origin") == "*"
