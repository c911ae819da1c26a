"""Who fills in a form, as limits see them, and what a page says of a refusal."""

from chalicelib.accounts.password_attempts import Caller
from chalicelib.api import client_address
from chalicelib.api.console.cookies import DEVICE
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors


def networks_of(visit: PageRequest) -> tuple[str, ...]:
    """Return every network that a visit is counted by."""
    return client_address.networks(client_address.source_ip(visit.exchange.request))


def caller_of(visit: PageRequest) -> Caller:
    """Return where a visit comes from, and from which device."""
    return Caller(networks_of(visit), visit.cookie(DEVICE))


def in_words(error: errors.LatchkeyError) -> str:
    """Return what a page says of an error."""
    from chalicelib.pages import form

    return form.in_readers_words(error)
