"""Retention of clients, and the condition that a client is active.

A client that no account approves is deleted after some days; an approved client is kept.
"""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
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
    """Extend a client's retention in the transaction of an approval, which fails if the client is no longer active.

    A self-registered client is kept forever, because it can't register under the same id again. The client of a
    metadata document is kept as long as its grants, because the document can be fetched again.
    """
    until_s = clock.now_s() + DOCUMENT_KEPT_S
    actions: list[Action] = [Client.dies_at.remove()]
    if client.registered_by == "document":
        actions = [Client.dies_at.set(until_s), Client.kept_until.set(until_s)]
        if client.kept_until is not None and client.kept_until >= clock.now_s() + grants.LIFETIME_MS // 1000:
            actions = []
    if client.dies_at is None or not actions:
        require_active(write, client.client_id)
    else:
        write.update(Client(client.client_id), actions=actions, condition=_is_active())


def require_active(write: models.Transaction, client_id: str) -> None:
    """Add to a transaction the condition that a client exists and is active."""
    write.condition_check(Client, client_id, condition=_is_active())


def has_ended(error: TransactWriteError, client_id: str) -> bool:
    """Return whether a transaction failed because of the condition that `require_active` added."""
    return models.find_failed_write(error, Client(client_id)) is not None


def _is_active() -> Condition:
    is_undeleted: Condition = Client.created_at.exists() & Client.deleted_at.does_not_exist()
    is_active: Condition = is_undeleted & Client.owner_suspended_at.does_not_exist()
    return is_active
