"""An owner's own API behind Latchkey, as docs/own-routes.md tells it: in the same app, and behind another gateway.

The third way, POST /v1/verify, is in test_verify.py.
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
    """Return the blueprint that the page shows."""
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
    """A house whose app has the documented blueprint."""
    app = Chalice(app_name="shop", configure_logs=False)
    middleware.install(app)
    app.register_blueprint(documented(monkeypatch))
    latchkey.gateway = Gateway(app, domain="api.example.com")
    return latchkey


def test_own_route_answers_whoever_may(shop: TestApp) -> None:
    """The view knows who calls; the answer tells what is left and lets pages read it, with nothing done by the view."""
    account = shop.account()
    answer = shop.call("GET", ORDERS, shop.key(account, "read").secret)
    assert (answer.status, answer.json()) == (200, {"data": [], "account": account.id})
    assert (answer.header("X-RateLimit-Limit"), answer.header("X-RateLimit-Remaining")) == ("1000", "999")
    assert answer.header("Access-Control-Allow-Origin") == "*"


def test_own_route_that_can_be_got_answers_head(shop: TestApp) -> None:
    """With nothing done by its owner; behind the same credential, and counted as its GET."""
    secret = shop.key(shop.account(), "read").secret
    got, asked = (shop.call(method, ORDERS, secret) for method in ("GET", "HEAD"))
    assert (asked.status, asked.body, asked.header("Content-Length")) == (200, b"", str(len(got.body)))
    assert asked.header("X-RateLimit-Remaining") == "998"
    assert shop.call("HEAD", ORDERS).status == 401


def test_own_route_refuses_without_a_credential(shop: TestApp) -> None:
    """As every route does, a wrong key with a reason of its own."""
    assert error_of(shop.call("GET", ORDERS)) == (401, "missing_api_key")
    assert error_of(shop.call("GET", ORDERS, "nonsense")) == (401, "invalid_api_key")
    assert error_of(shop.call("GET", ORDERS, shop.key(shop.account(), expires_in_s=-1).secret)) == (
        401,
        "token_expired",
    )


def test_own_route_refuses_too_little_scope(shop: TestApp) -> None:
    """The scope that the decorator names."""
    answer = shop.call("GET", ORDERS, shop.key(shop.account(), "write").secret)
    assert error_of(answer) == (403, "insufficient_scope")
    assert "read" in answer.json()["message"]


def test_own_route_refuses_a_spent_quota(shop: TestApp) -> None:
    """It counts on the same account as everything else."""
    account = shop.account()
    shop.set_counters(account.id, tiers.FREE, used=1000)
    answer = shop.call("GET", ORDERS, shop.key(account).secret)
    assert error_of(answer) == (429, "rate_limit_exceeded")
    assert answer.header("Retry-After") == "3600"


def test_own_route_is_read_by_what_it_declares(shop: TestApp) -> None:
    """The view sees what was checked, with defaults; anything else is a 400 that names the field."""
    secret = shop.key(shop.account(), "write").secret
    made = shop.call("POST", ORDERS, secret, json_body={"item": " tea "})
    assert (made.status, made.json()["item"], made.json()["count"]) == (201, "tea", 1)
    refused = shop.call("POST", ORDERS, secret, json_body={"item": "tea", "count": 100})
    assert (refused.status, refused.json()["message"]) == (400, "count must be a whole number from 1 to 99.")


def test_own_route_is_part_of_the_reference(shop: TestApp) -> None:
    """With what it declares, under its module's name, in the words of its docstring."""
    whole = document(shop.gateway.app.routes, "https://api.latchkey.test")
    assert whole["tags"] == [{"name": "Orders", "description": "An API of one's own, behind keys, scopes and limits."}]
    listed, ordered = whole["paths"][ORDERS]["get"], whole["paths"][ORDERS]["post"]
    assert (listed["summary"], listed["x-required-scope"]) == ("List the caller's orders", "read")
    assert ordered["requestBody"]["content"]["application/json"]["example"] == {"item": "tea", "count": 1}
    assert {"201", "400", "401", "403", "409", "415", "429"} <= ordered["responses"].keys()


def test_own_route_costs_one_call(shop: TestApp) -> None:
    """Besides what the view itself reads."""
    secret = shop.key(shop.account()).secret
    shop.call("GET", ORDERS, secret)
    with telemetry.record_calls() as calls:
        shop.call("GET", ORDERS, secret)
    assert calls.made == [("UpdateItem", "latchkey-test-windows")]


@pytest.fixture
def till(latchkey: TestApp) -> tuple[TestApp, list[str]]:
    """A house whose app has a route that charges, and what it has charged; "fail" and "refuse" it doesn't."""
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
    """Send a body under an Idempotency-Key that is always the same."""
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "once", "Content-Type": "application/json"}
    return latchkey.gateway.handle("POST", path, headers.items(), body)


def test_own_route_that_claims_happens_once(till: tuple[TestApp, list[str]]) -> None:
    """With nothing done by the view; and the same for a client's tokens of one grant."""
    latchkey, charged = till
    secret = latchkey.key(latchkey.account(), "write").secret
    first, second = charge(latchkey, secret, b"tea"), charge(latchkey, secret, b"tea")
    assert (first.status, second.status, second.body) == (201, 201, first.body)
    assert (second.header("Idempotency-Replayed"), charged) == ("true", ["tea"])
    assert error_of(charge(latchkey, secret, b"coffee")) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(("body", "status"), [(b"fail", 500), (b"refuse", 402)])
def test_own_route_that_failed_may_be_tried_again(till: tuple[TestApp, list[str]], body: bytes, status: int) -> None:
    """Only success is kept, and the claim is given up at once."""
    latchkey, charged = till
    secret = latchkey.key(latchkey.account(), "write").secret
    assert [charge(latchkey, secret, body).status for _ in range(2)] == [status, status]
    assert (charge(latchkey, secret, b"tea").status, charged) == (201, ["tea"])


def test_own_route_that_says_nothing_ignores_the_header(till: tuple[TestApp, list[str]]) -> None:
    """It may read it by itself."""
    latchkey, charged = till
    secret = latchkey.key(latchkey.account(), "write").secret
    assert [charge(latchkey, secret, b"", "/v1/notes").json() for _ in range(2)] == [{"notes": 1}, {"notes": 2}]
    assert charged == ["note", "note"]


def test_public_route_can_not_heed_the_header() -> None:
    """Nobody could tell whose key it is."""
    with pytest.raises(ValueError, match="only a route with scopes"):
        routing.register(Blueprint(__name__), [Route("POST", "/v1/open", "orders.order", idempotency=CLAIMED)])


@pytest.fixture
def other() -> Gateway:
    """Another API Gateway: an app without Latchkey's edge, whose route asks Latchkey's authorizer."""
    app = Chalice(app_name="other", configure_logs=False)

    @app.route("/orders", authorizer=authorizer)
    def orders() -> dict[str, Any]:
        request: Any = app.current_request
        who: dict[str, Any] = request.context["authorizer"]
        return who

    return Gateway(app, domain="orders.example.com")


def ask(gateway: Gateway, secret: str) -> tuple[int, Any]:
    """Return status and body of a request to the other gateway."""
    answer = gateway.handle("GET", "/orders", [("Authorization", f"Bearer {secret}")])
    return answer.status, answer.json()


def test_other_gateway_learns_who_calls(latchkey: TestApp, other: Gateway) -> None:
    """Every field that the page names, each a string."""
    account = latchkey.account(tiers.PRO)
    issued = latchkey.key(account, "read", "write", expires_in_s=3600)
    assert ask(other, issued.secret) == (
        200,
        {
            "principalId": account.id,
            "account_id": account.id,
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


def test_other_gateway_refuses_bad_keys(latchkey: TestApp, other: Gateway) -> None:
    """Before its function runs."""
    assert ask(other, "nonsense")[0] == 401
    assert other.handle("GET", "/orders").status == 401


def test_other_gateway_counts_nothing_and_believes_for_300_s(latchkey: TestApp, other: Gateway) -> None:
    """What the page warns of; /v1/verify is what notices at once."""
    account = latchkey.account()
    issued, own = latchkey.key(account), latchkey.key(account)
    service = latchkey.key(latchkey.account(admin=True), "verify").secret
    assert ask(other, issued.secret)[0] == 200
    assert latchkey.counters(account.id) == {}
    assert latchkey.call("DELETE", f"/v1/keys/{issued.key.id}", own.secret).status == 204
    with telemetry.record_calls() as calls:
        assert ask(other, issued.secret)[0] == 200
    assert calls.made == []
    assert latchkey.call("POST", "/v1/verify", service, json_body={"secret": issued.secret}).json()["valid"] is False
    latchkey.clock.forward(300)
    assert ask(other, issued.secret)[0] == 401


def test_page_names_every_field_of_the_context(latchkey: TestApp, other: Gateway) -> None:
    """Whoever reads it needs no source."""
    _, who = ask(other, latchkey.key(latchkey.account()).secret)
    page = (ROOT / "docs" / "own-routes.md").read_text()
    assert [name for name in who if f"`{name}`" not in page] == ["principalId"]
