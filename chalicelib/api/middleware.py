"""The middleware around every response: admission, required scopes, the view, headers, errors and the access log.

It sees everything the app answers, Chalice's own 404s and 405s included. An exception of a view is made a response by
`routing`, since Chalice shows it to no middleware.
"""

from collections.abc import Callable, Iterable
from typing import Any

from chalice.app import Request, Response

from chalicelib.api import access_log, client_address, error_responses, request_context, responses, routing
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import Rules
from chalicelib.core import clock, errors, telemetry
from chalicelib.credentials import reverify
from chalicelib.credentials.principal import from_context
from chalicelib.events import actors
from chalicelib.limits import headers as limit_headers
from chalicelib.limits.admission import Refused


def install(app: Any) -> None:
    """Put the middleware around everything that `app` answers."""

    def edge(request: Request, get_response: Callable[[Request], Response]) -> Response:
        exchange = Exchange(request, clock.elapsed_ns(), app.routes)
        token = request_context.current.set(exchange)
        try:
            with telemetry.counting_into(exchange.counted), actors.stranger_from(client_address.source_ip(request)):
                client_address.note_unreadable(request)
                response = _pass(exchange, get_response)
        finally:
            request_context.current.reset(token)
        return response

    app.register_middleware(edge, "http")


def _pass(exchange: Exchange, get_response: Callable[..., Response]) -> Response:
    entry = exchange.routes.get(exchange.request.path, {}).get(exchange.request.method)
    rules = routing.rules_of(entry)
    decision = "admitted"
    try:
        _admit(exchange, rules)
        _require(exchange, rules.scopes)
        response = get_response(exchange.request)
        refused = responses.in_our_words(response, entry.content_types if entry else (), exchange.id)
        if refused is not None:
            response = rules.refusal(refused, exchange)
    except errors.LatchkeyError as error:
        decision = error.limit if isinstance(error, Refused) else error.error
        response = error_responses.refused(error, rules, exchange)
    except Exception as error:
        decision = "failed"
        response = rules.refusal(error_responses.fault("edge_failed", error, exchange), exchange)
    response.headers.update(limit_headers.headers(exchange.left) if exchange.left else limit_headers.NOBODY)
    if rules.cross_origin:
        response.headers.update(responses.cross_origin())
    if exchange.caller is not None and response.status_code in (401, 403):
        reverify.note_failure(exchange.caller)
    access_log.write(exchange, decision, response.status_code)
    return responses.without_body(response) if exchange.is_head else response


def _admit(exchange: Exchange, rules: Rules) -> None:
    """Decide the admission of a caller, or of a stranger by address: so is who sends two credentials counted."""
    is_ambiguous = bool(rules.scopes) and len(set(client_address.every(exchange.request, "authorization"))) > 1
    try:
        if rules.scopes and not is_ambiguous:
            caller = exchange.caller = from_context(exchange.request.context["authorizer"])
            exchange.caller, exchange.left = reverify.admit_caller(
                caller, exchange.request.headers.get("authorization", ""), use=_use(exchange, rules)
            )
            actors.is_known_as(caller.credential_id, caller.account_id)
        elif rules.counted:
            exchange.admit_stranger()
        if is_ambiguous:
            # The authorizer has verified one of them, and the other could be taken for it.
            raise errors.InvalidRequest("Send one Authorization header.")
    except Refused as refusal:
        exchange.left = refusal.left
        raise


def _use(exchange: Exchange, rules: Rules) -> reverify.Use:
    """Return where a request comes from and what it is for."""
    network = client_address.neighbourhood(client_address.source_ip(exchange.request))
    return reverify.Use(network, exchange.route, rules.scopes)


def _require(exchange: Exchange, scopes: Iterable[str]) -> None:
    for scope in scopes:
        if scope not in exchange.principal.scopes:
            raise errors.InsufficientScope(scope)
