"""Grants: one approval's family of tokens. Revoking one ends every token that came from it, at the next request."""

from collections.abc import Iterator

from chalicelib.core import clock, ids, tables
from chalicelib.limits import stale
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


def revoke(grant: Grant) -> bool:
    """End a grant and all its tokens; harmless to repeat. Return False when not every function could be told."""
    with tables.may_be_refused():
        # Wins against a redemption or refresh at the same moment: their transaction checks that the grant lives.
        grant.update(
            actions=[Grant.revoked_at.set(clock.now_ms())],
            condition=Grant.account_id.exists() & Grant.revoked_at.does_not_exist(),
        )
    return stale.mark(grant.account_id)


def revoke_by_id(grant_id: str) -> bool:
    """End a grant that is known by its id only; one that is gone has ended. Return what `revoke` does."""
    grant = Grant.found(grant_id)
    return grant is None or revoke(grant)


def of_client(client_id: str) -> Iterator[Grant]:
    """Return the grants of a client that aren't revoked."""
    for grant in Grant.by_client.query(client_id):
        if grant.revoked_at is None:
            yield grant


def of_account(account_id: str) -> Iterator[Grant]:
    """Return the live grants that an account gave, oldest first."""
    for grant in Grant.by_account.query(account_id):
        if grant.is_live():
            yield grant
