"""Who fills in a form, as limits see them, and what a page says of a refusal."""

from chalicelib.accounts.password_attempts import Caller
from chalicelib.api import client_address
from chalicelib.api.console.cookies import DEVICE
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors


def networks_of(request: PageRequest) -> tuple[str, ...]:
    """Return every network that a visit is counted by."""
    return client_address.networks(client_address.source_ip(request.exchange.request))


def caller_of(request: PageRequest) -> Caller:
    """Return where a visit comes from, and from which device."""
    return Caller(networks_of(request), request.cookie(DEVICE))


def in_words(error: errors.LatchkeyError) -> str:
    """Return what a page says of an error."""
    from chalicelib.pages import form

    return form.in_readers_words(error)
