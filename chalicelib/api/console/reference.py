"""The API reference for people: the same document that /openapi.json gives, to read and to try."""

from chalicelib.api.console.outcomes import Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.openapi.document import document
from chalicelib.pages.outline import outline


def show_docs(request: PageRequest) -> Render:
    """Show every request with what it takes and gives; its script sends one, with a key that the reader pastes."""
    request.may_ask_the_api = True
    return Render("docs", {"reference": outline(document(request.exchange.routes, request.base_url))})
