"""An app with one route whose view fails, for what a caller meets then: 500s exist in tests only."""

from chalice.app import Blueprint, Chalice

from chalicelib.api import middleware
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import route
from infra.standin import Gateway


class Fault(Exception):
    """What a view never meant to raise."""


def gateway_with_fault() -> Gateway:
    """Return a gateway before GET /v1/fault, whose exception tells all it knows of its caller."""
    blueprint = Blueprint(__name__)

    @route(blueprint, "/v1/fault", methods=["GET"], scopes=["read"])
    def fail(exchange: Exchange) -> None:
        raise Fault(repr(exchange))

    app = Chalice(app_name="latchkey", configure_logs=False)
    middleware.install(app)
    app.register_blueprint(blueprint)
    return Gateway(app, domain="api.example.com")
