"""Latchkey's own routes, without those that an operator adds (docs/own-routes.md).

The published documents are compared with these alone, since they don't contain an operator's routes.
"""

from app import app
from chalicelib.api.request_context import Routes

PACKAGE = "chalicelib.api."
"""The package of all of Latchkey's views; other views are the operator's."""


def of_latchkey(routes: Routes = app.routes) -> Routes:
    """Return the entries whose views are Latchkey's, by path and method."""
    kept = {
        path: {method: entry for method, entry in entries.items() if _module_of(entry).startswith(PACKAGE)}
        for path, entries in routes.items()
    }
    return {path: entries for path, entries in kept.items() if entries}


def _module_of(entry: object) -> str:
    return str(entry.view_function.__module__)  # type: ignore[attr-defined]  # a RouteEntry of Chalice's, which is untyped
