"""Grants. A grant comprises all tokens that are issued because of one approval. Revoking it revokes all of them,
effective at the next request.
"""

from collections.abc import Iterator

from chalicelib.core import clock, ids
from chalicelib.core.dynamodb import models
from chalicelib.credentials import scopes
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks
from chalicelib.oauth.tables import Grant

LIFETIME_MS = 90 * 24 * 3_600_000
"""The lifetime of a grant, which refreshing doesn't extend."""
KEPT_S = 30 * 24 * 3_600


def new(account_id: str, client_id: str, *, scopes: set[str], resources: set[str]) -> Grant:
    """Return a new grant without storing it. Each approval creates its own grant, so that the access of a single device
    can be revoked.
    """
    now_ms = clock.now_ms()
    return Grant(
        ids.new("gra"),
        account_id=account_id,
        client_id=client_id,
        scopes=scopes,
        resources=resources or None,
        created_at=now_ms,
        expires_at=now_ms + LIFETIME_MS,
        dies_at=(now_ms + LIFETIME_MS) // 1000 + KEPT_S,
    )


def record_event(write: models.Transaction, grant: Grant, kind: str, **more: str) -> None:
    """Add an event about a grant to a transaction. The event belongs to the account that gave the grant."""
    details = {"grant": grant.id, "application": grant.client_id, "scopes": scopes.join(grant.scopes)}
    record.add_to(write, grant.account_id, kind, details | more)


def revoke(grant: Grant, kind: str = kinds.GRANT_REVOKED) -> bool:
    """Revoke a grant and all its tokens. Idempotent.

    Returns False when the cached policies of the account couldn't be invalidated.
    """
    with models.ignore_condition_failure(), models.transaction() as write:
        # This also makes a concurrent exchange fail, because its transaction requires that the grant is not revoked.
        write.update(
            Grant(grant.id),
            actions=[Grant.revoked_at.set(clock.now_ms())],
            condition=Grant.account_id.exists() & Grant.revoked_at.does_not_exist(),
        )
        record_event(write, grant, kind)
    return stale_marks.mark(grant.account_id)


def revoke_by_id(grant_id: str, kind: str = kinds.GRANT_REVOKED) -> bool:
    """Revoke a grant by its id, if it still exists. Returns False when cached policies couldn't be invalidated."""
    grant = Grant.found(grant_id)
    return grant is None or revoke(grant, kind)


def of_client(client_id: str, *, after: str | None = None) -> Iterator[Grant]:
    """Yield the grants of a client that aren't revoked, oldest first. If `after` is given, start after this id."""
    for grant in Grant.by_client.query(client_id, Grant.id > after if after else None):
        if grant.revoked_at is None:
            yield grant


def of_account(account_id: str) -> Iterator[Grant]:
    """Yield the active grants that an account gave, oldest first."""
    for grant in Grant.by_account.query(account_id):
        if grant.is_active():
            yield grant
