"""An app with a route whose view raises an exception, for tests of 500 responses."""

from chalice.app import Blueprint, Chalice

from chalicelib.api import middleware
from chalicelib.api.request_context import RequestContext
from chalicelib.api.routing import Route, register
from infra.local_gateway.gateway import Gateway


class Fault(Exception):
    """The exception that the view raises."""


def gateway_with_fault() -> Gateway:
    """Return a gateway to an app with GET /v1/fault. Its view raises an exception that contains the caller's data."""
    blueprint = Blueprint(__name__)

    def fail(context: RequestContext) -> None:
        raise Fault(repr(context))

    register(blueprint, [Route("GET", "/v1/fault", fail, ("read",))])

    app = Chalice(app_name="latchkey", configure_logs=False)
    middleware.install(app)
    app.register_blueprint(blueprint)
    return Gateway(app, domain="api.example.com")
