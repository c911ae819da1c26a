"""Grants. A grant comprises all tokens that are issued because of one approval. Revoking it revokes all of them,
effective at the next request.
"""

from collections.abc import Iterator

from chalicelib.accounts import invalidation
from chalicelib.core import clock, ids
from chalicelib.core.dynamodb import batch_write, models
from chalicelib.credentials import scopes
from chalicelib.events import kinds, record
from chalicelib.oauth.tables import Grant

LIFETIME_MS = 90 * 24 * 3_600_000
"""The lifetime of a grant, which refreshing doesn't extend."""
KEPT_S = 30 * 24 * 3_600


def new(account_id: str, user_id: str, client_id: str, *, scopes: set[str], resources: set[str]) -> Grant:
    """Return a new grant of a user for an account, without storing it. Each approval creates its own grant, so that the
    access of a single device can be revoked.
    """
    now_ms = clock.now_ms()
    return Grant(
        ids.new("gra"),
        account_id=account_id,
        user_id=user_id,
        client_id=client_id,
        scopes=scopes,
        resources=resources or None,
        created_at=now_ms,
        expires_at=now_ms + LIFETIME_MS,
        dies_at=(now_ms + LIFETIME_MS) // 1000 + KEPT_S,
    )


def record_event(write: models.Transaction, grant: Grant, kind: str, **more: str) -> None:
    """Add an event about a grant to a transaction. The event belongs to the account of the grant."""
    record.add_to(write, grant.account_id, kind, _details(grant) | more)


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
    return invalidation.mark_account(grant.account_id)


def revoke_by_id(grant_id: str, kind: str = kinds.GRANT_REVOKED) -> bool:
    """Revoke a grant by its id, if it still exists. Returns False when cached policies couldn't be invalidated."""
    grant = Grant.found(grant_id)
    return grant is None or revoke(grant, kind)


def delete_with_client(found: list[Grant], *, at_ms: int) -> None:
    """Delete grants to a client that was deleted at `at_ms`, and record an event for each that was not revoked.

    No invalidation mark is needed: verification refuses every token of a deleted client. Idempotent, because the id of
    an event is derived from the grant; the events are stored first, so that a killed function loses none.
    """
    record.store(
        [
            record.derive(
                grant.account_id,
                kinds.GRANT_REVOKED,
                _details(grant),
                of=grant.id,
                at_ms=at_ms,
                seen_as=grant.client_id,
            )
            for grant in found
            if grant.revoked_at is None
        ]
    )
    batch_write.delete_all(found)


def all_of_client(client_id: str, *, after: str | None = None, limit: int) -> list[Grant]:
    """Return up to `limit` grants of a client, also revoked ones, oldest first. If `after` is given, start after this
    id.
    """
    is_after = Grant.id > after if after else None
    return list(Grant.by_client.query(client_id, is_after, limit=limit, page_size=limit))


def of_account(account_id: str) -> Iterator[Grant]:
    """Yield the active grants of all users for an account, oldest first."""
    for grant in Grant.by_account.query(account_id):
        if grant.is_active():
            yield grant


def of_user(user_id: str, account_id: str) -> Iterator[Grant]:
    """Yield the active grants of a user for an account, oldest first."""
    for grant in Grant.by_account.query(account_id, filter_condition=Grant.user_id == user_id):
        if grant.is_active():
            yield grant


def _details(grant: Grant) -> dict[str, str]:
    return {"grant": grant.id, "application": grant.client_id, "scopes": scopes.join(grant.scopes)}
