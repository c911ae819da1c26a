"""/docs: the OpenAPI document of /openapi.json as a page, with forms to try requests."""

from chalicelib.api.console.outcomes import Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.openapi.document import document
from chalicelib.pages.outline import outline


def show_docs(request: PageRequest) -> Render:
    """Show every operation of the API. A script on the page can send requests with an API key that the user pastes."""
    request.may_call_api = True
    return Render("docs", {"reference": outline(document(request.exchange.routes, request.base_url))})
