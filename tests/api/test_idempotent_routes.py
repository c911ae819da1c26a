"""The routes that support Idempotency-Key, and the mode of each."""

from app import app
from chalicelib.api.routing import CLAIMED, RECORDED, route_of
from infra.routes import of_latchkey
from tests.api.routes import idempotent_routes


def test_every_creating_post_supports_idempotency() -> None:
    """Every POST with a credential supports Idempotency-Key, except `/v1/verify`, which creates nothing."""
    posts = {
        ("POST", path)
        for path, methods in of_latchkey().items()
        if "POST" in methods and route_of(methods["POST"]).scopes
    }
    assert posts - idempotent_routes() == {("POST", "/v1/verify")}
    assert idempotent_routes() <= posts


def test_idempotency_mode_of_each_route() -> None:
    """Routes with external effects store a claim first; all others store the response in their transaction."""
    declared = {path: route_of(app.routes[path][method]).idempotency for method, path in idempotent_routes()}
    assert {path for path, kind in declared.items() if kind == CLAIMED} == {
        "/v1/invitations",
        "/v1/webhooks/{webhook_id}/test",
        "/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend",
    }
    assert set(declared.values()) == {CLAIMED, RECORDED}
