"""Every parameter of every route, collected from the routes, so that parameters of new routes are tested, too.

Parameters of the API come from the routes' declarations, and those of the console from the source of its views.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

from chalicelib.api.console import routes
from chalicelib.api.openapi.routes import DocumentedRoute, documented
from chalicelib.api.routing import FORM
from chalicelib.oauth.parameters import AUTHORIZATION_PARAMETERS
from infra.routes import of_latchkey

CONSOLE = "chalicelib.api.console"
IN_QUERY = ("text_or_parameter", "parameter_values", "query")
IN_FORM = ("text_or_parameter", "text", "check", "form")
"""The methods and attributes of PageRequest by which views read form fields.

IN_QUERY has those by which views read the query.
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a request."""

    method: str
    route: str
    place: str
    """The place of the parameter: `path`, `query`, `form`, `json` or `header`."""
    name: str


@lru_cache(maxsize=1)
def all_parameters() -> tuple[Parameter, ...]:
    """Return every parameter, except cookies, the credential, and parameters that all pages have."""
    described = {(each.route.method, each.route.path): each for each in documented(of_latchkey())}
    found = []
    for route, entries in of_latchkey().items():
        for method in entries:
            if method == "HEAD":
                continue
            places = [("path", name) for name in re.findall(r"{(\w+)}", route)]
            if (method, route) in described:
                places += _declared(described[method, route])
            places += _read_by_page(method, route)
            found += [Parameter(method, route, place, name) for place, name in dict.fromkeys(places)]
    return tuple(found)


def _declared(described: DocumentedRoute) -> Iterator[tuple[str, str]]:
    yield from (("query", name) for name in (described.query.fields() if described.query else ()))
    yield from (("header", name) for name in described.description.headers)
    if described.route.idempotency:
        yield "header", "Idempotency-Key"
    body = described.body
    if body is not None:
        names = tuple(body.fields())
        places = ("json", "form") if FORM in described.route.consumes else ("json",)
        yield from ((place, name) for place in places for name in names)


def _read_by_page(method: str, route: str) -> Iterator[tuple[str, str]]:
    views = [view for asked, path, view in routes.PAGES if (asked, path) == (method, route)]
    for view in views:
        module, name = view.split(".")
        yield from (("form" if method == "POST" else "query", each) for each in _names(module, name, method))
        if route == "/oauth/authorize":
            # The authorization request has its parameters in the query, for GET and for POST.
            yield from (("query", each) for each in AUTHORIZATION_PARAMETERS)


def _names(module: str, function: str, method: str) -> list[str]:
    """Return the names that a view, and the console functions it calls, read from the query or the form."""
    kinds, found, seen = IN_FORM if method == "POST" else IN_QUERY, [], set()
    left = [(module, function)]
    while left:
        place = left.pop()
        if place in seen or place not in _functions():
            continue
        seen.add(place)
        for node in ast.walk(_functions()[place]):
            found += _name_read(node, kinds, place[0])
            left += _called(node, place[0])
    return list(dict.fromkeys(found))


def _name_read(node: ast.AST, kinds: tuple[str, ...], module: str) -> list[str]:
    """Return the name in `request.text("name")`, `request.query.get("name")` or `request.form["name"]`."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=kind), attr="get"), args=[name, *_]):
            pass
        case ast.Call(func=ast.Attribute(value=ast.Name(id="request"), attr=kind), args=[name, *_]):
            pass
        case ast.Subscript(value=ast.Attribute(attr=kind), slice=name):
            pass
        case _:
            return []
    if isinstance(name, ast.Name):
        said = vars(import_module(f"{CONSOLE}.{module}")).get(name.id)
    else:
        said = getattr(name, "value", None)
    return [said] if kind in kinds and isinstance(said, str) else []


def _called(node: ast.AST, module: str) -> list[tuple[str, str]]:
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return [(module, name)]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=other), attr=name)):
            return [(other, name)]
        case _:
            return []


@lru_cache(maxsize=1)
def _functions() -> dict[tuple[str, str], ast.FunctionDef]:
    """Return every function of the console's modules, by module name and function name."""
    names = {view.split(".")[0] for _, _, view in routes.PAGES} | {"confirm_sign_up", "leftovers", "confirm"}
    return {
        (name, node.name): node
        for name in names
        for node in ast.parse(inspect.getsource(import_module(f"{CONSOLE}.{name}"))).body
        if isinstance(node, ast.FunctionDef)
    }


def parameters_in(*places: str) -> list[Parameter]:
    """Return the parameters in any of the places."""
    return [each for each in all_parameters() if each.place in places]
