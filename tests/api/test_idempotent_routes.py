"""Which routes honour an Idempotency-Key, and how."""

from app import app
from chalicelib.api.routing import CLAIMED, RECORDED, route_of
from infra.routes import of_latchkey


def creating() -> set[tuple[str, str]]:
    """Return the routes that heed the header."""
    return {
        (method, path)
        for path, methods in of_latchkey().items()
        for method, entry in methods.items()
        if route_of(entry).idempotency
    }


def test_every_post_that_makes_something_heeds_it() -> None:
    """Of those that take a credential only the question about a secret makes nothing."""
    posts = {
        ("POST", path)
        for path, methods in of_latchkey().items()
        if "POST" in methods and route_of(methods["POST"]).scopes
    }
    assert posts - creating() == {("POST", "/v1/verify")}
    assert creating() <= posts


def test_modes_are_those_of_the_declarations() -> None:
    """What has effects outside claims first; everything else is recorded in its transaction."""
    declared = {path: route_of(app.routes[path][method]).idempotency for method, path in creating()}
    assert {path for path, kind in declared.items() if kind == CLAIMED} == {
        "/v1/webhooks/{webhook_id}/test",
        "/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend",
    }
    assert set(declared.values()) == {CLAIMED, RECORDED}
