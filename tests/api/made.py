"""Views that a test makes up."""

from chalice.app import Blueprint, Chalice

from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import route


def add_view(app: Chalice, module: str, path: str, method: str = "GET") -> None:
    """Register a view of a path with an app, as if it stood in `module`."""
    blueprint = Blueprint(module)

    def show(exchange: Exchange) -> None:
        """Show it."""

    show.__module__ = module
    route(blueprint, path, methods=[method], scopes=["read"])(show)
    app.register_blueprint(blueprint)
