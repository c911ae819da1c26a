"""Latchkey's own routes, as distinct from routes that an operator adds."""

from chalice.app import Chalice

from app import app
from chalicelib.api import middleware
from infra.routes import of_latchkey
from tests.api.made import add_view


def test_routes_of_an_operator_are_left_out() -> None:
    """A route belongs to an operator if the module of its view isn't in `chalicelib/api`."""
    mixed = Chalice(app_name="shop", configure_logs=False)
    middleware.install(mixed)
    for module in ("chalicelib.api.keys", "chalicelib.own.orders", "app"):
        add_view(mixed, module, f"/v1/{module.rpartition('own.')[2]}", "POST" if module == "app" else "GET")
    assert {path: set(entries) for path, entries in of_latchkey(mixed.routes).items()} == {
        "/v1/chalicelib.api.keys": {"GET", "HEAD"}
    }


def test_every_view_of_latchkey_is_included() -> None:
    """All routes with views in `chalicelib/api` are included."""
    there = {path for path, entries in of_latchkey(app.routes).items() if entries}
    assert {"/v1/keys", "/openapi.json", "/settings/keys", "/oauth/token", "/static/{name}"} <= there
