"""Retention of clients. A client that no account approves is deleted after some days; an approved client is kept."""

from pynamodb.expressions.update import Action

from chalicelib.core import clock
from chalicelib.core.dynamodb import models
from chalicelib.oauth import grants
from chalicelib.oauth.tables import Client

DOCUMENT_KEPT_S = 120 * 86_400
"""How long the client of a metadata document is stored after an approval. This is 30 days longer than a grant is valid,
so that another approval within 30 days needs no write.
"""


def keep(write: models.Transaction, client: Client) -> None:
    """Extend a client's retention in the transaction of an approval.

    A self-registered client is kept forever, because it can't register under the same id again. The client of a
    metadata document is kept as long as its grants, because the document can be fetched again.
    """
    until_s = clock.now_s() + DOCUMENT_KEPT_S
    actions: list[Action] = [Client.dies_at.remove()]
    if client.registered_by == "document":
        actions = [Client.dies_at.set(until_s), Client.kept_until.set(until_s)]
        if client.kept_until is not None and client.kept_until >= clock.now_s() + grants.LIFETIME_MS // 1000:
            return
    if client.dies_at is not None:
        condition = Client.created_at.exists() & Client.deleted_at.does_not_exist()
        write.update(Client(client.client_id), actions=actions, condition=condition)
