"""Grants: one approval's family of tokens. Revoking one ends every token that came from it, at the next request."""

from collections.abc import Iterator

from chalicelib.core import clock, ids
from chalicelib.core.dynamodb import models
from chalicelib.credentials import scopes
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks
from chalicelib.oauth.tables import Grant

LIVES_MS = 90 * 24 * 3_600_000
"""However often it is refreshed."""
KEPT_S = 30 * 24 * 3_600


def new(account_id: str, client_id: str, *, scopes: set[str], resources: set[str]) -> Grant:
    """Return a grant that is not stored yet. Each approval opens its own, so that one device can be ended alone."""
    now_ms = clock.now_ms()
    return Grant(
        ids.new("gra"),
        account_id=account_id,
        client_id=client_id,
        scopes=scopes,
        resources=resources or None,
        created_at=now_ms,
        expires_at=now_ms + LIVES_MS,
        dies_at=(now_ms + LIVES_MS) // 1000 + KEPT_S,
    )


def tell(write: models.Transaction, grant: Grant, kind: str, **more: str) -> None:
    """Add to a transaction: this happened to a grant, told to the account that gave it."""
    told = {"grant": grant.id, "application": grant.client_id, "scopes": scopes.joined(grant.scopes)}
    record.add_to(write, grant.account_id, kind, told | more)


def revoke(grant: Grant, kind: str = kinds.GRANT_REVOKED) -> bool:
    """End a grant and all its tokens; harmless to repeat. Return False when not every function could be told."""
    with models.may_be_refused(), models.transaction() as write:
        # Wins against a redemption or refresh at the same moment: their transaction checks that the grant lives.
        write.update(
            Grant(grant.id),
            actions=[Grant.revoked_at.set(clock.now_ms())],
            condition=Grant.account_id.exists() & Grant.revoked_at.does_not_exist(),
        )
        tell(write, grant, kind)
    return stale_marks.mark(grant.account_id)


def revoke_by_id(grant_id: str, kind: str = kinds.GRANT_REVOKED) -> bool:
    """End a grant that is known by its id only; one that is gone has ended. Return what `revoke` does."""
    grant = Grant.found(grant_id)
    return grant is None or revoke(grant, kind)


def of_client(client_id: str, *, after: str | None = None) -> Iterator[Grant]:
    """Return the grants of a client that aren't revoked, oldest first, from beyond the id `after`."""
    for grant in Grant.by_client.query(client_id, Grant.id > after if after else None):
        if grant.revoked_at is None:
            yield grant


def of_account(account_id: str) -> Iterator[Grant]:
    """Return the live grants that an account gave, oldest first."""
    for grant in Grant.by_account.query(account_id):
        if grant.is_live():
            yield grant
