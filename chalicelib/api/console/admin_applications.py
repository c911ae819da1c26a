"""Administration of OAuth clients: find any of them by its id, see what is known of it, and end it for a reason."""

from urllib.parse import urlencode

from chalicelib.api.console import confirm
from chalicelib.api.console.admin import admin_of, for_a_reason
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors
from chalicelib.oauth import clients, end_client
from chalicelib.oauth.tables import Client

HOME = "/admin/applications"


def show_application(request: PageRequest) -> Render:
    """Show the form to find an OAuth client by its id, and the one of the id that was given."""
    admin_of(request)
    wanted = request.query.get("client_id", "").strip()
    client = clients.stored(wanted)
    matter = {"client": client, "wanted": wanted, "can_end": _can_be_ended(client, wanted)}
    shown = Render("admin_application", matter)
    if client is None and wanted:
        return request.refused_by(errors.NotFound("There is no such application.").about("client_id"), shown)
    return shown


def confirm_end(request: PageRequest) -> Render:
    """Ask for the reason before a client is ended: it is for good.

    The URL of a metadata document that was never fetched can be ended, too.
    """
    admin_of(request)
    client_id = request.given("client_id")
    client = clients.stored(client_id)
    if not _can_be_ended(client, client_id):
        raise errors.NotFound("There is no such application, or it has ended already.")
    return confirm.ask(
        confirm.Question(
            heading=f"End “{_name(client, client_id)}”?",
            consequence="Nothing is issued to it any more. Everybody who allowed it is disconnected, and its tokens"
            " stop with the next request. This can't be undone.",
            about=client_id,
            action=f"{HOME}/end",
            hidden={"client_id": [client_id]},
            button="End application",
            back=HOME if client is None else _path(client_id),
            back_label="Applications",
            asks_reason=True,
        )
    )


def end(request: PageRequest) -> Redirect:
    """End the client, its grants and its tokens."""
    with for_a_reason(request) as (admin, reason):
        client = end_client.end(request.text("client_id"), actor=admin.id, reason=reason)
    return Redirect(_path(client.client_id), "application-ended")


def _can_be_ended(client: Client | None, client_id: str) -> bool:
    return end_client.is_document_url(client_id) if client is None else client.deleted_at is None


def _name(client: Client | None, client_id: str) -> str:
    return client_id if client is None else client.name


def _path(client_id: str) -> str:
    return f"{HOME}?{urlencode({'client_id': client_id})}"
