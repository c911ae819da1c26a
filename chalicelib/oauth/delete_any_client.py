"""Delete any client, as an admin or the operator. This works for a client that an account registered, for a
self-registered client, and for the client of a metadata document.
"""

from urllib.parse import urlsplit

from chalicelib.core import clock, errors, telemetry
from chalicelib.core.dynamodb import models
from chalicelib.oauth import client_documents, clients, delete_client
from chalicelib.oauth.tables import Client


def delete(client_id: str, *, actor: str, reason: str | None = None) -> Client:
    """Delete a client permanently and return it. Idempotent.

    The URL of a metadata document can be blocked before the document is first used. Raises NotFound when there is no
    such client.
    """
    client = clients.find_any(client_id) or _document(client_id)
    delete_client.delete(client, actor=actor, reason=reason)
    telemetry.warning("client_ended", client_id=client.client_id, actor=actor)
    return Client.get(client.client_id, consistent_read=True)


def is_document_url(client_id: str) -> bool:
    """Return whether the id can be the URL of a metadata document. It doesn't matter whether a client with this id is
    stored.
    """
    if not clients.is_client_id(client_id) or not client_id.startswith("https://"):
        return False
    try:
        client_documents.check_url(client_id)
    except client_documents.BadDocument:
        return False
    return True


def _document(client_id: str) -> Client:
    """Store a client for a metadata document that was never fetched, so that its deletion can be recorded."""
    if not is_document_url(client_id):
        raise errors.NotFound("There is no such application.")
    client = Client(
        client_id,
        name=urlsplit(client_id).netloc,
        grant_types={clients.CODE},
        scopes=set(clients.GRANTABLE),
        auth_method="none",
        registered_by="document",
        created_at=clock.now_ms(),
        uri=client_id,
    )
    with models.ignore_condition_failure():
        client.save(condition=Client.client_id.does_not_exist())
    return client
