"""Errors as responses: in JSON for programs, as a page for a browser, with `WWW-Authenticate` on a 401 or 403."""

from typing import TYPE_CHECKING

from chalice.app import Response

from chalicelib.api import client_address, responses, www_authenticate
from chalicelib.api.request_context import Exchange
from chalicelib.core import errors, telemetry
from chalicelib.core.dynamodb.errors import is_outage

if TYPE_CHECKING:
    from chalicelib.api.routing import Rules


def refusal(error: errors.LatchkeyError, exchange: Exchange) -> Response:
    """Answer programs in JSON; a person who opened the path in a browser is shown a page."""
    if client_address.opens_a_page(exchange.request):
        from chalicelib.api.console import render_response

        return render_response.plain_error_page(error, exchange)
    return responses.refusal(error)


def refused(error: errors.LatchkeyError, rules: "Rules", exchange: Exchange) -> Response:
    """Return a refusal in the form of its route; a 401 or 403 of a credential says how to do better."""
    response = rules.refusal(error, exchange)
    told = www_authenticate.of(error, rules.scopes, client_address.base_url(exchange.request))
    if told is not None:
        response.headers["WWW-Authenticate"] = told
    return response


def fault(event: str, error: Exception, exchange: Exchange) -> errors.LatchkeyError:
    """Log what went wrong on our side, and return what to say of it: try again, or quote the request id."""
    telemetry.error(event, request_id=exchange.id)
    return errors.Unavailable() if is_outage(error) else errors.InternalError(exchange.id)
