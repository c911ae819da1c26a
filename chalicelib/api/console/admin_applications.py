"""Admin pages for OAuth clients: find a client by its id, show it, and delete it."""

from urllib.parse import urlencode

from chalicelib.api.console import confirm
from chalicelib.api.console.admin import admin_of, administrator_with_reason
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors
from chalicelib.oauth import clients, delete_any_client
from chalicelib.oauth.tables import Client

HOME = "/admin/applications"


def show_application(request: PageRequest) -> Render:
    """Show the form to find an OAuth client by its id, and the client with the given id."""
    admin_of(request)
    wanted = request.query.get("client_id", "").strip()
    client = clients.find_any(wanted)
    values = {"client": client, "wanted": wanted, "can_end": _can_be_ended(client, wanted)}
    page = Render("admin_application", values)
    if client is None and wanted:
        return request.reject_form(errors.NotFound("No application has this client ID.").about("client_id"), page)
    return page


def confirm_end(request: PageRequest) -> Render:
    """Ask for a reason before a client is deleted, which can't be undone.

    The URL of a metadata document can be blocked even if the document has never been fetched.
    """
    admin_of(request)
    client_id = request.text_or_parameter("client_id")
    client = clients.find_any(client_id)
    if not _can_be_ended(client, client_id):
        raise errors.NotFound("No active application has this client ID.")
    return confirm.ask(
        confirm.Question(
            heading=f"Delete “{_name(client, client_id)}”?",
            consequence="It gets no more tokens, loses access to every connected account, and its tokens stop working"
            " within 10 seconds. This can't be undone.",
            about=client_id,
            action=f"{HOME}/end",
            hidden={"client_id": [client_id]},
            button="Delete application",
            back=HOME if client is None else _path(client_id),
            back_label="Applications",
            asks_reason=True,
        )
    )


def end(request: PageRequest) -> Redirect:
    """Delete the client, its grants and its tokens."""
    with administrator_with_reason(request) as (admin, reason):
        client = delete_any_client.delete(request.text("client_id"), actor=admin.id, reason=reason)
    return Redirect(_path(client.client_id), "application-ended")


def _can_be_ended(client: Client | None, client_id: str) -> bool:
    return delete_any_client.is_document_url(client_id) if client is None else client.deleted_at is None


def _name(client: Client | None, client_id: str) -> str:
    return client_id if client is None else client.name


def _path(client_id: str) -> str:
    return f"{HOME}?{urlencode({'client_id': client_id})}"
