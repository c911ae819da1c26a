"""The sender of a form: its networks and device for rate limits, and the message of an error for its page."""

from chalicelib.accounts.password_attempts import Caller
from chalicelib.api import client_address
from chalicelib.api.console.cookies import DEVICE
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors


def networks_of(request: PageRequest) -> tuple[str, ...]:
    """Return every network by which a request is rate limited."""
    return client_address.networks(client_address.source_ip(request.exchange.request))


def caller_of(request: PageRequest) -> Caller:
    """Return the networks and the device cookie of a request."""
    return Caller(networks_of(request), request.cookie(DEVICE))


def message_of(error: errors.LatchkeyError) -> str:
    """Return the message of an error for a page."""
    from chalicelib.pages import form

    return form.message_of(error)
