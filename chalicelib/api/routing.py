"""Routes. Each is declared once as a `Route` and registered with Chalice. The first request for a route imports its
view.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from chalice.app import Blueprint, Response

from chalicelib.api import client_address, cors, error_responses, request_context, responses
from chalicelib.api.authorizer import authorizer
from chalicelib.api.request_context import RequestContext, Routes
from chalicelib.api.schema.description import body_of, query_of
from chalicelib.core import errors
from chalicelib.credentials import scopes

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
ANY = "*/*"
RECORDED = "recorded"
"""The view stores its response in the transaction that creates a resource (`RequestContext.recorded`)."""
CLAIMED = "claimed"
"""The Idempotency-Key is claimed for this request before the view runs, and the response is stored after the view.

This works with any view, but requires two more database calls.
"""
View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a path, its view, and the checks before the view runs."""

    method: str
    path: str
    view: View | str
    """The view as `module.function`, relative to the package that registers it. The first request imports the module.

    The view is called with the RequestContext, the path's parameters and, if it declares them, its typed `body` and
    `query`. It returns a JSON body or a chalice Response.
    """
    scopes: tuple[str, ...] = ()
    """Scopes that the caller's credential must have. A route without scopes is public."""
    consumes: tuple[str, ...] = (JSON,)
    """Accepted media types of the body."""
    idempotency: str = ""
    """How the route handles an Idempotency-Key: RECORDED, CLAIMED, or "" to ignore it. Requires scopes."""
    rate_limited: bool = True
    """Whether requests for a public route are counted by network. False if the view counts them itself."""
    cross_origin: bool = True
    """Whether pages of the allowed origin may call the route. Must be False if its response depends on a cookie."""
    is_documented: bool = True
    error_response: Callable[[errors.LatchkeyError, RequestContext], Response] = error_responses.error_response

    def resolve(self) -> View:
        """Import the module of the view, and return the view."""
        if not isinstance(self.view, str):
            return self.view
        module, name = self.view_name
        view: View = getattr(import_module(module), name)
        return view

    @property
    def reads_body(self) -> bool:
        """Return whether requests with this method have a body."""
        return self.method in ("POST", "PUT", "PATCH")

    @property
    def view_name(self) -> tuple[str, str]:
        """Return the module and the name of the view, without importing it."""
        if not isinstance(self.view, str):
            return self.view.__module__, self.view.__name__
        module, _, name = self.view.rpartition(".")
        return module, name


UNKNOWN = Route("", "", "", cross_origin=False)
"""The route of a request that matches no registered route."""


def register(blueprint: Blueprint, routes: Iterable[Route], package: str = "") -> None:
    """Register routes whose views are named relative to `package`; raise ValueError for a route that can't work."""
    for route in routes:
        unknown = sorted({*route.scopes} - {*scopes.ALL})
        if unknown:
            raise ValueError(
                f"{route.path}: no credential can have the scope {unknown[0]}, only {', '.join(scopes.ALL)}."
            )
        if route.idempotency and not route.scopes:
            raise ValueError(f"{route.path}: only a route with scopes has a caller to whom an Idempotency-Key belongs.")
        named = isinstance(route.view, str) and package
        _register(blueprint, replace(route, view=f"{package}.{route.view}") if named else route)


def _register(blueprint: Blueprint, route: Route) -> None:
    """Register a route with Chalice. A GET route also accepts HEAD (RFC 9110 §9.3.2); the middleware then removes the
    body.
    """
    consumes = route.consumes if route.reads_body else (ANY,)

    def respond(**parameters: str) -> Response:
        context = request_context.current.get()
        try:
            _check_media_type(context, consumes)
            return _respond(context, route, parameters)
        except errors.LatchkeyError as error:
            return error_responses.with_challenge(error, route, context)
        except Exception as error:
            return route.error_response(error_responses.fault("view_failed", error, context), context)

    respond.route = route  # type: ignore[attr-defined]  # read back by route_of
    respond.__module__, respond.__name__ = route.view_name
    shared = cors.by_path.setdefault(route.path, cors.CrossOrigin())
    shared.add_method(route.method, has_callers=bool(route.scopes), honours_keys=bool(route.idempotency))
    blueprint.route(
        route.path,
        methods=[route.method, *(["HEAD"] if route.method == "GET" else [])],
        name=respond.__name__,
        cors=shared if route.cross_origin else None,
        # Let Chalice accept every media type, because it would reject an unlisted one even if the request has no body.
        content_types=[ANY],
        **({"authorizer": authorizer} if route.scopes else {}),
    )(respond)


def route_of(entry: Any) -> Route:
    """Return the route of an entry in Chalice's routing table; UNKNOWN for a path that was registered without
    `register`.
    """
    route: Route = getattr(entry.view_function, "route", UNKNOWN) if entry is not None else UNKNOWN
    return route


def scopes_by_route(routes: Routes) -> dict[str, tuple[str, ...]]:
    """Return the scopes of each route that requires a credential, by method and path: `GET /v1/users`.

    The operator's own routes are included.
    """
    return {
        f"{method} {path}": route.scopes
        for path, methods in routes.items()
        for method, entry in methods.items()
        if method != "HEAD" and (route := route_of(entry)).scopes
    }


def _check_media_type(context: RequestContext, consumes: tuple[str, ...]) -> None:
    """Raise UnsupportedMediaType if the body has a media type that the route doesn't consume."""
    if consumes == (ANY,) or not context.request.raw_body:
        return
    media_types = (client_address.only(context.request, "content-type") or JSON).lower()
    if not {part.strip() for part in re.split("[,;]", media_types)} & set(consumes):
        raise responses.unsupported(consumes)


def _respond(context: RequestContext, route: Route, parameters: Mapping[str, str]) -> Response:
    view = route.resolve()
    arguments: dict[str, Any] = dict(parameters)
    query, body = query_of(view, route.scopes), body_of(view)
    if query is not None:
        checked = query.read(context.parameters)
        if "query" in view.__annotations__:
            arguments["query"] = checked
    if body is not None:
        arguments["body"] = body.read(context.request.raw_body)

    def call() -> Response:
        return responses.of(view(context, **arguments))

    if not route.idempotency or "idempotency-key" not in context.request.headers:
        return call()
    from chalicelib.api import idempotency

    return idempotency.respond(context, route.idempotency, call)
