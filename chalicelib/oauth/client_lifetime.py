"""How long a client is kept: one that is never approved is forgotten, one that is used stays."""

from pynamodb.expressions.update import Action

from chalicelib.core import clock
from chalicelib.core.dynamodb import models
from chalicelib.oauth import grants
from chalicelib.oauth.tables import Client

DOCUMENT_KEPT_S = 120 * 86_400
"""How long the client of a metadata document is kept after an approval: longer than any grant lives, with a margin that
spares most approvals the write."""


def keep(write: models.Transaction, client: Client) -> None:
    """Add to the transaction of an approval: the client is used, so it isn't forgotten as one that nobody approved is.

    One that registered itself is kept for good, since it can't register as the same again; a document can be fetched
    again, so its client is kept as long as its grants.
    """
    until_s = clock.now_s() + DOCUMENT_KEPT_S
    actions: list[Action] = [Client.dies_at.remove()]
    if client.registered_by == "document":
        actions = [Client.dies_at.set(until_s), Client.kept_until.set(until_s)]
        if client.kept_until is not None and client.kept_until >= clock.now_s() + grants.LIVES_MS // 1000:
            return
    if client.dies_at is not None:
        condition = Client.created_at.exists() & Client.deleted_at.does_not_exist()
        write.update(Client(client.client_id), actions=actions, condition=condition)
