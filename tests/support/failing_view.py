"""An app with one route whose view fails, for what a caller meets then: 500s exist in tests only."""

from chalice.app import Blueprint, Chalice

from chalicelib.api import middleware
from chalicelib.api.request_context import RequestContext
from chalicelib.api.routing import Route, register
from infra.local_gateway.gateway import Gateway


class Fault(Exception):
    """What a view never meant to raise."""


def gateway_with_fault() -> Gateway:
    """Return a gateway before GET /v1/fault, whose exception tells all it knows of its caller."""
    blueprint = Blueprint(__name__)

    def fail(context: RequestContext) -> None:
        raise Fault(repr(context))

    register(blueprint, [Route("GET", "/v1/fault", fail, ("read",))])

    app = Chalice(app_name="latchkey", configure_logs=False)
    middleware.install(app)
    app.register_blueprint(blueprint)
    return Gateway(app, domain="api.example.com")
