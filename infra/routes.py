"""Find Latchkey's own routes among all routes, which include those that an operator has added (docs/own-routes.md).

Tests compare the published documents with Latchkey's own routes, since the documents don't contain other routes.
"""

from app import app
from chalicelib.api.request_context import Routes

PACKAGE = "chalicelib.api."
"""The package with all of Latchkey's views. Views in other packages were added by the operator."""


def of_latchkey(routes: Routes = app.routes) -> Routes:
    """Return the routes whose views are part of Latchkey, by path and method."""
    kept = {
        path: {method: entry for method, entry in entries.items() if _module_of(entry).startswith(PACKAGE)}
        for path, entries in routes.items()
    }
    return {path: entries for path, entries in kept.items() if entries}


def _module_of(entry: object) -> str:
    return str(entry.view_function.__module__)  # type: ignore[attr-defined]  # a RouteEntry of Chalice's, which is untyped
