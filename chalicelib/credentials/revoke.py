"""Revoke API keys and access tokens, permanently and idempotently.

A revoked credential is rejected at the next request (see `credentials.revocation_check`), unless its invalidation mark
couldn't be set.
"""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition

from chalicelib.accounts import invalidation
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials import key_limit
from chalicelib.credentials.find import key_of_item, owned_key
from chalicelib.credentials.issue import KEPT_AFTER_EXPIRY_S
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record


def revoke(account_id: str, key_id: str, manager: Principal | None = None) -> None:
    """Revoke a key of an account.

    Raises NotFound if there is no such key, and InsufficientRole if `manager` may not revoke it. Raises Unavailable if
    the key is revoked but the invalidation mark couldn't be set; the caller can repeat the call to set it.
    """
    revoke_key(owned_key(account_id, key_id, manager))
    if not invalidation.mark_account(account_id):
        raise errors.Unavailable(
            "The key is revoked, but may be accepted for up to 5 more minutes. Revoke it again to be sure."
        )


def revoke_key(key: Credential) -> bool:
    """Revoke a key; return whether this call revoked it. The caller must set the invalidation mark."""
    while key.revoked_at is None:
        try:
            _revoke(key)
        except TransactWriteError as error:
            item = models.find_failed_write(error, Credential(key.digest))
            if item is None:
                raise
            key = key_of_item(item)
        else:
            return True
    return False


def revoke_token(token: Credential) -> bool:
    """Revoke one access token; return whether this call revoked it. The caller must set the invalidation mark."""
    details = {"token": token.id, "application": str(token.client_id)}
    try:
        with models.transaction() as write:
            write.update(
                Credential(token.digest),
                actions=[Credential.revoked_at.set(clock.now_ms())],
                condition=Credential.id.exists() & Credential.revoked_at.does_not_exist(),
            )
            record.add_to(write, token.account_id, kinds.TOKEN_REVOKED, details)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        return False
    return True


def _revoke(key: Credential) -> None:
    now_ms = clock.now_ms()
    unchanged: Condition = Credential.successor_id.does_not_exist()
    if key.successor_id is not None:
        unchanged = Credential.successor_id == key.successor_id
    with models.transaction() as write:
        write.update(
            Credential(key.digest),
            actions=[
                Credential.revoked_at.set(now_ms),
                Credential.dies_at.set(now_ms // 1000 + KEPT_AFTER_EXPIRY_S),
            ],
            # The condition fails if the key was concurrently revoked or rotated. If it was rotated, it now has a
            # successor, whose references to this key must be removed too, so the revocation is tried again.
            condition=Credential.id.exists() & Credential.revoked_at.does_not_exist() & unchanged,
            return_values="ALL_OLD",
        )
        record.add_to(write, key.account_id, kinds.KEY_REVOKED, {"key": key.id, "name": key.name})
        key_limit.remove_key(write, Account(key.account_id), key)
        if key.successor_digest is not None and key.is_live():
            write.update(
                Credential(key.successor_digest),
                actions=[Credential.predecessor_digest.remove(), Credential.predecessor_ends_at.remove()],
            )
        if key.predecessor_ends_at is not None and key.predecessor_ends_at > now_ms:
            write.update(
                Credential(key.predecessor_digest),
                actions=[
                    Credential.successor_id.remove(),
                    Credential.successor_digest.remove(),
                    Credential.successor_ends_at.remove(),
                ],
            )
