"""The middleware around every response: admission, required scopes, the view, headers, errors and the access log.

It handles every response of the app, including the 404s and 405s of Chalice itself. Chalice doesn't pass exceptions of
views to middleware, so `routing` turns them into responses.
"""

from collections.abc import Callable, Iterable
from typing import Any

from chalice.app import Request, Response

from chalicelib.api import access_log, client_address, error_responses, request_context, responses, routing
from chalicelib.api.request_context import RequestContext
from chalicelib.api.routing import Route
from chalicelib.core import clock, errors, telemetry
from chalicelib.credentials import revocation_check
from chalicelib.credentials.principal import from_context
from chalicelib.credentials.scopes import role_without
from chalicelib.events import actors
from chalicelib.limits import headers as limit_headers
from chalicelib.limits.admission import Rejected


def install(app: Any) -> None:
    """Install the middleware around every response of `app`."""

    def edge(request: Request, get_response: Callable[[Request], Response]) -> Response:
        context = RequestContext(request, clock.elapsed_ns(), app.routes)
        token = request_context.current.set(context)
        try:
            with telemetry.collect_metrics(context.counted), actors.act_anonymously(client_address.source_ip(request)):
                client_address.note_unreadable(request)
                response = _pass(context, get_response)
        finally:
            request_context.current.reset(token)
        return response

    app.register_middleware(edge, "http")


def _pass(context: RequestContext, get_response: Callable[..., Response]) -> Response:
    entry = context.routes.get(context.request.path, {}).get(context.request.method)
    route = routing.route_of(entry)
    decision = "admitted"
    try:
        _admit(context, route)
        _require_scopes(context, route.scopes)
        response = get_response(context.request)
        refused = responses.of_chalice(response, entry.content_types if entry else (), context.id)
        if refused is not None:
            response = route.error_response(refused, context)
    except errors.LatchkeyError as error:
        decision = error.limit if isinstance(error, Rejected) else error.error
        response = error_responses.with_challenge(error, route, context)
    except Exception as error:
        decision = "failed"
        response = route.error_response(error_responses.fault("edge_failed", error, context), context)
    response.headers.update(limit_headers.headers(context.left) if context.left else limit_headers.NO_LIMITS)
    if route.cross_origin:
        response.headers.update(responses.cross_origin())
    if context.caller is not None and response.status_code in (401, 403):
        revocation_check.record_failure(context.caller)
    access_log.write(context, decision, response.status_code)
    return responses.without_body(response) if context.is_head else response


def _admit(context: RequestContext, route: Route) -> None:
    """Admit a verified caller by account, or an anonymous caller by network.

    A request with two different Authorization headers counts as anonymous.
    """
    is_ambiguous = bool(route.scopes) and len(set(client_address.every(context.request, "authorization"))) > 1
    try:
        if route.scopes and not is_ambiguous:
            caller = context.caller = from_context(context.request.context["authorizer"])
            context.caller, context.left = revocation_check.admit_caller(
                caller, context.request.headers.get("authorization", ""), use=_use(context, route)
            )
            caller = context.caller
            actors.identify_actor(caller.credential_id, caller.account_id, caller.user_id)
        elif route.rate_limited:
            context.admit_anonymous()
        if is_ambiguous:
            # The authorizer has verified one of the two headers, but this function doesn't know which one.
            raise errors.InvalidRequest("Send one Authorization header.")
    except Rejected as refusal:
        context.left = refusal.left
        raise


def _use(context: RequestContext, route: Route) -> revocation_check.Use:
    """Return the network and the route of a request. Both are recorded as usage of the request's credential."""
    network = client_address.neighbourhood(client_address.source_ip(context.request))
    return revocation_check.Use(network, context.route, route.scopes)


def _require_scopes(context: RequestContext, scopes: Iterable[str]) -> None:
    for scope in scopes:
        if scope not in context.principal.scopes:
            raise errors.InsufficientScope(scope, role_without(scope, context.principal.role))
