"""The routes that support Idempotency-Key, and in which mode."""

from app import app
from chalicelib.api.routing import CLAIMED, RECORDED, route_of
from infra.routes import of_latchkey


def creating() -> set[tuple[str, str]]:
    """Return the routes that support the header."""
    return {
        (method, path)
        for path, methods in of_latchkey().items()
        for method, entry in methods.items()
        if route_of(entry).idempotency
    }


def test_every_creating_post_supports_idempotency() -> None:
    """Every POST with a credential supports Idempotency-Key, except `/v1/verify`, which creates nothing."""
    posts = {
        ("POST", path)
        for path, methods in of_latchkey().items()
        if "POST" in methods and route_of(methods["POST"]).scopes
    }
    assert posts - creating() == {("POST", "/v1/verify")}
    assert creating() <= posts


def test_idempotency_mode_of_each_route() -> None:
    """Routes with external effects claim first; all others record the response in their transaction."""
    declared = {path: route_of(app.routes[path][method]).idempotency for method, path in creating()}
    assert {path for path, kind in declared.items() if kind == CLAIMED} == {
        "/v1/webhooks/{webhook_id}/test",
        "/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend",
    }
    assert set(declared.values()) == {CLAIMED, RECORDED}
