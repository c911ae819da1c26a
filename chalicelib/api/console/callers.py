"""Identify the sender of a form by networks and device, for rate limits; and convert errors to messages for pages."""

from chalicelib.accounts.password_attempts import Caller
from chalicelib.api import client_address
from chalicelib.api.console.cookies import DEVICE
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors


def networks_of(request: PageRequest) -> tuple[str, ...]:
    """Return every network on which the rate limits count this request."""
    return client_address.networks(client_address.source_ip(request.exchange.request))


def caller_of(request: PageRequest) -> Caller:
    """Return the caller of a request. Rate limits identify callers by their networks and their device cookie."""
    return Caller(networks_of(request), request.cookie(DEVICE))


def message_of(error: errors.LatchkeyError) -> str:
    """Return the message of an error for a page."""
    from chalicelib.pages import form

    return form.message_of(error)
