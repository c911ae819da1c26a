"""Routes: a view, the scopes it requires, what it declares, and the form of its errors."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from chalice.app import Blueprint, Response

from chalicelib.api import client_address, cors, error_responses, request_context, responses
from chalicelib.api.authorizer import authorizer
from chalicelib.api.declared import NOTHING_DECLARED, Answer, Body, Declared, Fields, Form, Query
from chalicelib.api.request_context import Exchange, Routes
from chalicelib.api.shapes import Kind
from chalicelib.core import errors

JSON = "application/json"
ANY = "*/*"
View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the middleware does for a route beyond calling its view."""

    scopes: tuple[str, ...] = ()
    """What its caller's credential must have; none makes the route public."""
    refusal: Callable[[errors.LatchkeyError, Exchange], Response] = error_responses.refusal
    """The form that its errors take."""
    counted: bool = True
    """Whether the middleware counts its requests; a view that doesn't cost anything, or counts for itself, says no."""
    cross_origin: bool = False
    """Whether pages of the allowed origin may call it."""


_BY_DEFAULT = Rules()


def route(
    blueprint: Blueprint,
    path: str,
    *,
    methods: list[str],
    scopes: Iterable[str] = (),
    takes: str = JSON,
    body: Body | Form | None = None,
    query: Query | None = None,
    headers: Mapping[str, Kind] | None = None,
    proofs: tuple[str, ...] = (),
    ids: Fields | None = None,
    gives: Mapping[int, Answer | Kind] | None = None,
    refuses: Iterable[type[errors.LatchkeyError]] = (),
    idempotency: str = "",
    counted: bool = True,
) -> Callable[[View], View]:
    """Register a view of the JSON API: `scopes` are what its caller's credential must have; none makes it public.

    One that has scopes and says what it gives takes no query but the one it names. A public one may have `headers` and
    `proofs` that its view looks at by itself.

    The view is called with the Exchange and the path's parameters, and returns a body or a chalice Response. A request
    with a body must have the media type that it `takes`. `body` and `query` are checked before the view runs, which
    finds them on the Exchange. `ids` are the path's parameters, `gives` the answers by status, `refuses` the errors
    beyond those that follow from the rest: they and the view's docstring make its part of the reference.
    `idempotency` says how it heeds an Idempotency-Key: RECORDED or CLAIMED. What isn't `counted` is public, and its
    requests count for nobody.
    """
    # No answer of these depends on a cookie: a page of another origin reads what anybody with the same key can.
    rules = Rules(scopes=tuple(scopes), counted=counted, cross_origin=True)
    given = {status: each if isinstance(each, Answer) else Answer(each) for status, each in (gives or {}).items()}
    if query is None and given and rules.scopes:
        query = Query()
    if idempotency and not rules.scopes:
        raise ValueError("Only a route that knows its caller can tell whose Idempotency-Key it is.")
    declared = Declared(
        body, query, headers or {}, ids or {}, given, tuple(refuses), idempotency=idempotency, proofs=proofs
    )
    return route_with(blueprint, path, methods=methods, rules=rules, takes=(takes,), declared=declared)


def route_with(
    blueprint: Blueprint,
    path: str,
    *,
    methods: list[str],
    rules: Rules,
    takes: tuple[str, ...] = (JSON,),
    declared: Declared | None = None,
) -> Callable[[View], View]:
    """Register a view under rules of its own; only what is `declared` is part of the reference.

    What can be got by GET can be asked for by HEAD (RFC 9110 §9.3.2): the view runs, and the middleware drops the body.
    """

    def register(view: View) -> View:
        @wraps(view)
        def answered(**parameters: str) -> Response:
            try:
                exchange = request_context.current.get()
                _check_media_type(exchange, answered.takes)  # type: ignore[attr-defined]  # set below
                _read(exchange, declared or NOTHING_DECLARED)
                return _answer(exchange, declared or NOTHING_DECLARED, view, parameters)
            except errors.LatchkeyError as error:
                return error_responses.refused(error, rules, request_context.current.get())
            except Exception as error:
                return rules.refusal(
                    error_responses.fault("view_failed", error, request_context.current.get()),
                    request_context.current.get(),
                )

        answered.rules = rules  # type: ignore[attr-defined]  # read back by rules_of
        answered.declared = declared  # type: ignore[attr-defined]  # read back by the reference
        reads_a_body = {"POST", "PUT", "PATCH"} & set(methods)
        shared = cors.by_path.setdefault(path, cors.CrossOrigin())
        heeds_keys = bool((declared or NOTHING_DECLARED).idempotency)
        shared.note(methods, has_callers=bool(rules.scopes), heeds_keys=heeds_keys)
        answered.takes = takes if reads_a_body else (ANY,)  # type: ignore[attr-defined]  # read back by the reference
        blueprint.route(
            path,
            methods=[*methods, *({"HEAD"} - set(methods) if "GET" in methods else ())],
            name=view.__name__,
            cors=shared if rules.cross_origin else None,
            # Chalice would refuse a media type that nobody reads: that of a request without a body.
            content_types=[ANY],
            **({"authorizer": authorizer} if rules.scopes else {}),
        )(answered)
        return view

    return register


def rules_of(entry: Any) -> Rules:
    """Return the rules of a route; what Chalice answers by itself has those of a public one."""
    rules: Rules = getattr(entry.view_function, "rules", _BY_DEFAULT) if entry is not None else _BY_DEFAULT
    return rules


def scopes_by_route(routes: Routes) -> dict[str, tuple[str, ...]]:
    """Return what each route that needs a credential asks of it: `GET /v1/users` and so on, the owner's own as well."""
    return {
        f"{method} {path}": rules.scopes
        for path, methods in routes.items()
        for method, entry in methods.items()
        if method != "HEAD" and (rules := rules_of(entry)).scopes
    }


def _check_media_type(exchange: Exchange, takes: tuple[str, ...]) -> None:
    """Raise UnsupportedMediaType for a body that has another media type than its route takes."""
    if takes == (ANY,) or not exchange.request.raw_body:
        return
    given = (client_address.only(exchange.request, "content-type") or JSON).lower()
    if not {part.strip() for part in re.split("[,;]", given)} & set(takes):
        raise responses.unsupported(takes)


def _read(exchange: Exchange, declared: Declared) -> None:
    """Check what the request carries by what its route declares."""
    if declared.query is not None:
        exchange.query = declared.query.read(exchange.parameters)
    if isinstance(declared.body, Body):
        exchange.body = declared.body.read(exchange.request.raw_body)


def _answer(exchange: Exchange, declared: Declared, view: View, parameters: Mapping[str, str]) -> Response:
    if not declared.idempotency or "idempotency-key" not in exchange.request.headers:
        return responses.of(view(exchange, **parameters))
    from chalicelib.api import idempotency

    return idempotency.answered(exchange, declared.idempotency, view, parameters)
