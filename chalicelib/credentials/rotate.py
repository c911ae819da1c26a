"""Rotate an API key: issue a new key with the same name, scopes and expiry. The old key works until its grace period
ends.

Of all keys that replaced each other, at most two are active. This is a condition on the item of the old key, so of two
concurrent rotations one succeeds. If a key is rotated in its own grace period, the new key expires when that period
ends.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition

from chalicelib.accounts import invalidation, roles
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials import key_limit, rotation_grace
from chalicelib.credentials.find import key_of_item, owned_key
from chalicelib.credentials.issue import KEPT_AFTER_EXPIRY_S, Issued, kept_role, new_key
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Recording


def rotate(creator: Principal, key_id: str, grace_s: int, once: "Recording[Issued] | None" = None) -> Issued:
    """Replace a key of the creator's account by a new one. The old key works for `grace_s` more seconds.

    `once` records the idempotent request. Raises NotFound if there is no such key, and InsufficientScope if the creator
    lacks one of its scopes. Raises Conflict if the key is revoked or expired, its successor or predecessor is still
    active, the account has the maximum number of active keys, or the creator's expiry has changed since it was
    verified.
    """
    key = owned_key(creator.account_id, key_id, manager=creator)
    expired: dict[str, int] = {}
    for _ in range(key_limit.ROUNDS_MAX):
        for scope in sorted(key.scopes):
            if scope not in creator.scopes:
                raise errors.InsufficientScope(scope)
        try:
            issued = _replace(creator, key, grace_s, expired, once)
        except TransactWriteError as error:
            if not models.is_condition_failure(error):
                raise
            if once is not None:
                once.explain(error)
            item = models.find_failed_write(error, Credential(key.digest))
            if item is not None:
                key = key_of_item(item)
                _check_may_be_rotated(key)
            else:
                expired = key_limit.expired_after(error, Account(creator.account_id), creator)
        else:
            # A mark that couldn't be set isn't an error here, because only this response contains the secret of the new
            # key.
            return replace(issued, is_marked=invalidation.mark_account(creator.account_id))
    raise errors.Unavailable("This account is being changed too often right now. Try again in a moment.")


def _replace(
    creator: Principal, key: Credential, grace_s: int, expired: dict[str, int], once: "Recording[Issued] | None"
) -> Issued:
    issued = new_key(
        creator.account_id,
        # The successor belongs to the user who receives its secret.
        creator.user_id,
        name=key.name,
        wanted=key.scopes,
        expires_at=_expiry(creator, key),
        made_by=creator.credential_id,
    )
    now_ms = clock.now_ms()
    retires_at = rotation_grace.ends_at_ms(now_ms, grace_s, key.retires_at)
    retiring = Credential(id=key.id, expires_at=key.expires_at, retires_at=retires_at)
    issued.key.on_anomaly, issued.key.lineage, issued.key.role = (
        key.on_anomaly,
        key.lineage or key.id,
        _role_of_successor(creator, key),
    )
    issued.key.predecessor_digest, issued.key.predecessor_ends_at = key.digest, retiring.ends_at
    with models.transaction() as write:
        write.save(issued.key, condition=Credential.digest.does_not_exist())
        only_if = key_limit.creator_is_unchanged(creator)
        key_limit.add_key(write, Account(creator.account_id), issued.key, expired, only_if=only_if, retiring=retiring)
        key_limit.check_user(write, creator)
        write.update(
            Credential(key.digest),
            actions=[
                Credential.retires_at.set(retires_at),
                Credential.successor_id.set(issued.key.id),
                Credential.successor_digest.set(issued.key.digest),
                Credential.successor_ends_at.set(issued.key.listed_end),
                Credential.dies_at.set(retiring.listed_end // 1000 + KEPT_AFTER_EXPIRY_S),
            ],
            condition=_may_be_rotated(key, now_ms),
            return_values="ALL_OLD",
        )
        details = {"key": key.id, "successor": issued.key.id, "ends_at": clock.iso(retires_at)}
        record.add_to(write, creator.account_id, kinds.KEY_ROTATED, details)
        if once is not None:
            once.add_to(write, issued)
    return issued


def _role_of_successor(creator: Principal, key: Credential) -> str | None:
    """Return the role that a successor keeps if the creator is a key of the service user: the lower of both roles."""
    if kept_role(creator) is None:
        return None
    return key.role if key.role and roles.has_rights_of(creator.role, key.role) else creator.role


def _may_be_rotated(key: Credential, now_ms: int) -> Condition:
    """Return the condition under which a key may be rotated: it is active, but neither its successor nor its
    predecessor is.
    """
    # The expiry of the successor was computed from `retires_at`, so `retires_at` must be unchanged.
    grace = Credential.retires_at
    is_active = (
        Credential.revoked_at.does_not_exist()
        & (Credential.expires_at.does_not_exist() | (Credential.expires_at > now_ms))
        & (grace.does_not_exist() if key.retires_at is None else (grace == key.retires_at) & (grace > now_ms))
    )
    is_last = Credential.successor_id.does_not_exist() | Credential.successor_ends_at.between(1, now_ms)
    is_alone = Credential.predecessor_ends_at.does_not_exist() | (Credential.predecessor_ends_at <= now_ms)
    # The successor has the scopes that were read, so these must be unchanged: a concurrent request may have removed
    # one.
    rule: Condition = is_active & is_last & is_alone & (Credential.scopes == key.scopes)
    return rule


def _expiry(creator: Principal, key: Credential) -> int | None:
    """Return when the successor expires: when the key or the creator expires, whichever is earlier."""
    return min((end for end in (key.ends_at, creator.ends_at_ms) if end), default=None)


def _check_may_be_rotated(key: Credential) -> None:
    """Raise Conflict with the reason why a key can't be rotated.

    If the key can be rotated now, return, so that the caller tries again.
    """
    now_ms = clock.now_ms()
    if not key.is_live():
        raise errors.Conflict("An expired or revoked key can't be rotated. Create a new key.")
    if key.successor_id is not None and not (key.successor_ends_at and key.successor_ends_at <= now_ms):
        raise errors.Conflict(f"This key was already rotated; its successor is {key.successor_id}.")
    if key.predecessor_ends_at is not None and key.predecessor_ends_at > now_ms:
        raise errors.Conflict(
            f"The predecessor of this key still works until {clock.iso(key.predecessor_ends_at)}. Revoke it, or wait."
        )
