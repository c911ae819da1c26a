"""An operator's own API behind Latchkey, as in docs/own-routes.md: in the same app, and behind another gateway.

The third way, POST /v1/verify, is tested in test_verify.py.
"""

import sys
from types import ModuleType
from typing import Any

import pytest
from chalice.app import Blueprint, Chalice, Response

from chalicelib.api import middleware, request_context, routing
from chalicelib.api.authorizer import authorizer
from chalicelib.api.openapi.document import document
from chalicelib.api.routing import CLAIMED, Route
from chalicelib.core import telemetry
from chalicelib.limits import tiers
from infra.local_gateway.gateway import Gateway
from infra.local_gateway.response import Response as HttpResponse
from tests.examples.blocks import ROOT, files_of
from tests.support.failing_view import Fault
from tests.support.harness import TestApp, error_of

ORDERS = "/v1/orders"


def documented(monkeypatch: pytest.MonkeyPatch) -> Blueprint:
    """Return the blueprint from the guide."""
    code = files_of("docs/own-routes.md")
    made: dict[str, ModuleType] = {}
    for name in ("orders", "routes"):
        module = made[name] = ModuleType(f"chalicelib.own.{name}")
        exec(compile(code[f"chalicelib/own/{name}.py"], "docs/own-routes.md", "exec"), module.__dict__)  # noqa: S102 - the page's own example
        monkeypatch.setitem(sys.modules, module.__name__, module)
    blueprint: Blueprint = made["routes"].blueprint
    return blueprint


@pytest.fixture
def shop(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> TestApp:
    """The test app with the guide's blueprint."""
    app = Chalice(app_name="shop", configure_logs=False)
    middleware.install(app)
    app.register_blueprint(documented(monkeypatch))
    latchkey.gateway = Gateway(app, domain="api.example.com")
    return latchkey


def test_own_route_responds_to_an_authorized_caller(shop: TestApp) -> None:
    """The view of an operator's route gets the caller, and needs no code for limit and CORS headers."""
    account = shop.account()
    response = shop.call("GET", ORDERS, shop.key(account, "read").secret)
    assert (response.status, response.json()) == (200, {"data": [], "account_id": account.id})
    assert (response.header("X-RateLimit-Limit"), response.header("X-RateLimit-Remaining")) == ("1000", "999")
    assert response.header("Access-Control-Allow-Origin") == "*"


def test_own_route_with_get_accepts_head(shop: TestApp) -> None:
    """An operator's route with GET accepts HEAD, with the same credential check and admission."""
    secret = shop.key(shop.account(), "read").secret
    got, asked = (shop.call(method, ORDERS, secret) for method in ("GET", "HEAD"))
    assert (asked.status, asked.body, asked.header("Content-Length")) == (200, b"", str(len(got.body)))
    assert asked.header("X-RateLimit-Remaining") == "998"
    assert shop.call("HEAD", ORDERS).status == 401


def test_own_route_rejects_an_invalid_credential(shop: TestApp) -> None:
    """A missing, an invalid and an expired key each get a different error from an operator's route."""
    assert error_of(shop.call("GET", ORDERS)) == (401, "missing_api_key")
    assert error_of(shop.call("GET", ORDERS, "nonsense")) == (401, "invalid_api_key")
    assert error_of(shop.call("GET", ORDERS, shop.key(shop.account(), expires_in_s=-1).secret)) == (
        401,
        "token_expired",
    )


def test_own_route_rejects_insufficient_scope(shop: TestApp) -> None:
    """An operator's route rejects a key without its declared scope."""
    response = shop.call("GET", ORDERS, shop.key(shop.account(), "write").secret)
    assert error_of(response) == (403, "insufficient_scope")
    assert "read" in response.json()["message"]


def test_own_route_rejects_an_exhausted_quota(shop: TestApp) -> None:
    """An operator's route rejects requests beyond the account's quota."""
    account = shop.account()
    shop.set_counters(account.id, tiers.FREE, used=1000)
    response = shop.call("GET", ORDERS, shop.key(account).secret)
    assert error_of(response) == (429, "rate_limit_exceeded")
    assert response.header("Retry-After") == "3600"


def test_own_route_validates_its_declared_body(shop: TestApp) -> None:
    """The view of an operator's route gets checked fields; any other body is a 400."""
    secret = shop.key(shop.account(), "write").secret
    made = shop.call("POST", ORDERS, secret, json_body={"item": " tea "})
    assert (made.status, made.json()["item"], made.json()["count"]) == (201, "tea", 1)
    refused = shop.call("POST", ORDERS, secret, json_body={"item": "tea", "count": 100})
    assert (refused.status, refused.json()["message"]) == (400, "count must be a whole number from 1 to 99.")


def test_own_route_rejects_an_undeclared_query_parameter(shop: TestApp) -> None:
    """A described route of an operator rejects query parameters that it doesn't declare."""
    response = shop.call("GET", f"{ORDERS}?x=1", shop.key(shop.account(), "read").secret)
    assert error_of(response) == (400, "invalid_request")


def test_own_route_is_in_the_openapi_document(shop: TestApp) -> None:
    """An operator's route is documented under its module's tag, with its declarations and docstring."""
    whole = document(shop.gateway.app.routes, "https://api.latchkey.test")
    assert whole["tags"] == [{"name": "Orders", "description": "An API of one's own, behind keys, scopes and limits."}]
    listed, ordered = whole["paths"][ORDERS]["get"], whole["paths"][ORDERS]["post"]
    assert (listed["summary"], listed["x-required-scope"]) == ("List the caller's orders", "read")
    assert ordered["requestBody"]["content"]["application/json"]["example"] == {"item": "tea", "count": 1}
    assert {"201", "400", "401", "403", "409", "415", "429"} <= ordered["responses"].keys()


def test_own_route_costs_one_database_call(shop: TestApp) -> None:
    """An operator's route costs one database call, besides those of its view."""
    secret = shop.key(shop.account()).secret
    shop.call("GET", ORDERS, secret)
    with telemetry.record_calls() as calls:
        shop.call("GET", ORDERS, secret)
    assert calls.made == [("UpdateItem", "latchkey-test-windows")]


@pytest.fixture
def till(latchkey: TestApp) -> tuple[TestApp, list[str]]:
    """The test app with a route that makes charges, and the list of the charges made."""
    blueprint, charged = Blueprint(__name__), list[str]()

    def charge(context: request_context.RequestContext) -> Response:
        what = str(context.request.raw_body, "ascii")  # type: ignore[arg-type]  # bytes, whatever Chalice declares
        if what == "fail":
            raise Fault(what)
        if what != "refuse":
            charged.append(what)
        return Response({"id": f"chg_{len(charged)}"}, status_code=402 if what == "refuse" else 201)

    def note(context: request_context.RequestContext) -> dict[str, int]:
        charged.append("note")
        return {"notes": len(charged)}

    routing.register(
        blueprint,
        [
            Route("POST", "/v1/charges", charge, ("write",), idempotency=CLAIMED),
            Route("POST", "/v1/notes", note, ("write",)),
        ],
    )

    app = Chalice(app_name="till", configure_logs=False)
    middleware.install(app)
    app.register_blueprint(blueprint)
    latchkey.gateway = Gateway(app, domain="api.example.com")
    return latchkey, charged


def charge(latchkey: TestApp, secret: str, body: bytes, path: str = "/v1/charges") -> HttpResponse:
    """Send a request for a charge, always with the same Idempotency-Key."""
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "once", "Content-Type": "application/json"}
    return latchkey.gateway.handle("POST", path, headers.items(), body)


def test_own_route_with_idempotency_runs_once(till: tuple[TestApp, list[str]]) -> None:
    """A repeated request to an operator's route with idempotency is replayed without code in the view."""
    latchkey, charged = till
    secret = latchkey.key(latchkey.account(), "write").secret
    first, second = charge(latchkey, secret, b"tea"), charge(latchkey, secret, b"tea")
    assert (first.status, second.status, second.body) == (201, 201, first.body)
    assert (second.header("Idempotency-Replayed"), charged) == ("true", ["tea"])
    assert error_of(charge(latchkey, secret, b"coffee")) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(("body", "status"), [(b"fail", 500), (b"refuse", 402)])
def test_failed_own_route_may_be_retried(till: tuple[TestApp, list[str]], body: bytes, status: int) -> None:
    """A failed request isn't recorded, so it can be retried with the same Idempotency-Key."""
    latchkey, charged = till
    secret = latchkey.key(latchkey.account(), "write").secret
    assert [charge(latchkey, secret, body).status for _ in range(2)] == [status, status]
    assert (charge(latchkey, secret, b"tea").status, charged) == (201, ["tea"])


def test_own_route_without_idempotency_ignores_the_header(till: tuple[TestApp, list[str]]) -> None:
    """An operator's route without idempotency ignores Idempotency-Key, so a repeated request runs again."""
    latchkey, charged = till
    secret = latchkey.key(latchkey.account(), "write").secret
    assert [charge(latchkey, secret, b"", "/v1/notes").json() for _ in range(2)] == [{"notes": 1}, {"notes": 2}]
    assert charged == ["note", "note"]


def test_public_route_cannot_have_idempotency() -> None:
    """A public route can't have idempotency, because its callers have no identity."""
    with pytest.raises(ValueError, match="only a route with scopes"):
        routing.register(Blueprint(__name__), [Route("POST", "/v1/open", "orders.order", idempotency=CLAIMED)])


def test_route_with_an_unknown_scope_is_rejected() -> None:
    """A route whose scope no credential can have is rejected when it is registered, not at each request."""
    with pytest.raises(ValueError, match="/v1/orders: no credential can have the scope orders, only read, write"):
        routing.register(Blueprint(__name__), [Route("GET", "/v1/orders", "orders.order", scopes=("orders",))])


@pytest.fixture
def other() -> Gateway:
    """Another API Gateway whose app has no Latchkey middleware, but uses Latchkey's authorizer."""
    app = Chalice(app_name="other", configure_logs=False)

    @app.route("/orders", authorizer=authorizer)
    def orders() -> dict[str, Any]:
        request: Any = app.current_request
        who: dict[str, Any] = request.context["authorizer"]
        return who

    return Gateway(app, domain="orders.example.com")


def call_other(gateway: Gateway, secret: str) -> tuple[int, Any]:
    """Return status and body of a request to the other gateway."""
    response = gateway.handle("GET", "/orders", [("Authorization", f"Bearer {secret}")])
    return response.status, response.json()


def test_other_gateway_gets_the_authorizer_context(latchkey: TestApp, other: Gateway) -> None:
    """Another gateway's function gets every documented context field as a string."""
    account = latchkey.account(tiers.PRO)
    issued = latchkey.key(account, "read", "write", expires_in_s=3600)
    assert call_other(other, issued.secret) == (
        200,
        {
            "principalId": account.id,
            "account_id": account.id,
            "user_id": account.user_id,
            "role": "owner",
            "credential_id": issued.key.id,
            "kind": "key",
            "scopes": "read write",
            "tier": "pro",
            "client_id": "",
            "ends_at_ms": str(latchkey.clock.now_ms + 3_600_000),
            "verified_at_ms": str(latchkey.clock.now_ms - 8_000),
            "lineage": issued.key.id,
        },
    )


def test_other_gateway_rejects_invalid_keys(latchkey: TestApp, other: Gateway) -> None:
    """Another gateway rejects an invalid key before its function runs."""
    assert call_other(other, "nonsense")[0] == 401
    assert other.handle("GET", "/orders").status == 401


def test_other_gateway_counts_nothing_and_caches_for_300_s(latchkey: TestApp, other: Gateway) -> None:
    """Another gateway counts no requests and accepts a revoked key for up to 300 s, as documented."""
    account = latchkey.account()
    issued, own = latchkey.key(account), latchkey.key(account)
    service = latchkey.key(latchkey.account(admin=True), "verify").secret
    assert call_other(other, issued.secret)[0] == 200
    assert latchkey.counters(account.id) == {}
    assert latchkey.call("DELETE", f"/v1/keys/{issued.key.id}", own.secret).status == 204
    with telemetry.record_calls() as calls:
        assert call_other(other, issued.secret)[0] == 200
    assert calls.made == []
    assert latchkey.call("POST", "/v1/verify", service, json_body={"secret": issued.secret}).json()["valid"] is False
    latchkey.clock.forward(300)
    assert call_other(other, issued.secret)[0] == 401


def test_guide_names_every_context_field(latchkey: TestApp, other: Gateway) -> None:
    """The guide lists every field of the authorizer's context."""
    _, who = call_other(other, latchkey.key(latchkey.account()).secret)
    page = (ROOT / "docs" / "own-routes.md").read_text()
    assert [name for name in who if f"`{name}`" not in page] == ["principalId"]
