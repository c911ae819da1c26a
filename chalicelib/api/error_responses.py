"""Error responses: JSON for programs and a page for browsers, with `WWW-Authenticate` on a 401 or 403."""

from typing import TYPE_CHECKING

from chalice.app import Response

from chalicelib.api import client_address, responses, www_authenticate
from chalicelib.api.request_context import RequestContext
from chalicelib.core import errors, telemetry
from chalicelib.core.dynamodb.errors import is_outage

if TYPE_CHECKING:
    from chalicelib.api.routing import Route


def error_response(error: errors.LatchkeyError, context: RequestContext) -> Response:
    """Return an error as JSON, or as a page for a user who opened the path in a browser."""
    if client_address.opens_a_page(context.request):
        from chalicelib.api.console import render_response

        return render_response.plain_error_page(error, context)
    return responses.error_response(error)


def with_challenge(error: errors.LatchkeyError, route: "Route", context: RequestContext) -> Response:
    """Return an error in the format of its route, with a challenge on a 401 or 403 (RFC 6750 §3)."""
    response = route.error_response(error, context)
    challenge = www_authenticate.of(error, route.scopes, client_address.base_url(context.request))
    if challenge is not None:
        response.headers["WWW-Authenticate"] = challenge
    return response


def fault(event: str, error: Exception, context: RequestContext) -> errors.LatchkeyError:
    """Log an unexpected exception, and return the error that the caller gets instead."""
    telemetry.error(event, request_id=context.id)
    return errors.Unavailable() if is_outage(error) else errors.InternalError(context.id)
