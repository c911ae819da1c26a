"""Views that tests register with an app."""

from chalice.app import Blueprint, Chalice

from chalicelib.api.request_context import RequestContext
from chalicelib.api.routing import Route, register


def add_view(app: Chalice, module: str, path: str, method: str = "GET") -> None:
    """Register a view of a path with an app, as if it were defined in `module`."""
    blueprint = Blueprint(module)

    def show(context: RequestContext) -> None:
        """Return nothing."""

    show.__module__ = module
    register(blueprint, [Route(method, path, show, ("read",))])
    app.register_blueprint(blueprint)
