"""Rotation: a new key takes over name, scopes and expiry; the old one works on for a grace, so nothing has to stop.

At most two of one lineage live at once. The condition on the old key decides it: two rotations at once make one
successor. A key that works on for its grace only, and is rotated again, passes on what is left of that and no more.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials import key_limit
from chalicelib.credentials.find import as_it_stood, owned_key
from chalicelib.credentials.issue import KEPT_PAST_END_S, Issued, new_key
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Recording


def rotate(maker: Principal, key_id: str, grace_s: int, once: "Recording[Issued] | None" = None) -> Issued:
    """Replace a key of the maker's account by a new one; the old one works for another `grace_s` seconds.

    `once` records the request that it was asked for with.
    Raises NotFound, InsufficientScope when the maker lacks a scope of the key, Conflict when the key has ended, when it
    or its predecessor has a live partner already, when the maker's own end has moved since it was verified, or when the
    account has as many live keys as it may.
    """
    key = owned_key(maker.account_id, key_id)
    ended: dict[str, int] = {}
    for _ in range(key_limit.ROUNDS_MAX):
        for scope in sorted(key.scopes):
            if scope not in maker.scopes:
                raise errors.InsufficientScope(scope)
        try:
            issued = _replace(maker, key, grace_s, ended, once)
        except TransactWriteError as error:
            if not models.refused(error):
                raise
            if once is not None:
                once.explain(error)
            stood = models.refused_write(error, Credential(key.digest))
            if stood is not None:
                key = as_it_stood(stood)
                _explain(key)
            else:
                account = key_limit.account_in(error, Account(maker.account_id))
                ended = key_limit.ended_among(account, maker)
        else:
            # Not an error: the new key's secret is in this answer and nowhere else.
            return replace(issued, told=stale_marks.mark(maker.account_id))
    raise errors.Unavailable("This account is being changed too often right now. Try again in a moment.")


def _replace(
    maker: Principal, key: Credential, grace_s: int, ended: dict[str, int], once: "Recording[Issued] | None"
) -> Issued:
    issued = new_key(
        maker.account_id,
        name=key.name,
        wanted=key.scopes,
        expires_at=_expiry(maker, key),
        made_by=maker.credential_id,
    )
    now_ms = clock.now_ms()
    # Without a grace it is over for every function, also one whose clock is behind.
    retires_at = now_ms + (grace_s or -stale_marks.CLOCK_SKEW_S) * 1000
    if key.retires_at is not None:
        retires_at = min(retires_at, key.retires_at)
    retiring = Credential(id=key.id, expires_at=key.expires_at, retires_at=retires_at)
    issued.key.on_anomaly, issued.key.lineage = key.on_anomaly, key.lineage or key.id
    issued.key.predecessor_digest, issued.key.predecessor_ends_at = key.digest, retiring.ends_at
    with models.transaction() as write:
        write.save(issued.key, condition=Credential.digest.does_not_exist())
        only_if = key_limit.ends_as_verified(maker)
        key_limit.count_in(write, Account(maker.account_id), issued.key, ended, only_if=only_if, retiring=retiring)
        write.update(
            Credential(key.digest),
            actions=[
                Credential.retires_at.set(retires_at),
                Credential.successor_id.set(issued.key.id),
                Credential.successor_digest.set(issued.key.digest),
                Credential.successor_ends_at.set(issued.key.listed_end),
                Credential.dies_at.set(retiring.listed_end // 1000 + KEPT_PAST_END_S),
            ],
            condition=_may_be_rotated(key, now_ms),
            return_values="ALL_OLD",
        )
        told = {"key": key.id, "successor": issued.key.id, "ends_at": clock.iso(retires_at)}
        record.add_to(write, maker.account_id, kinds.KEY_ROTATED, told)
        if once is not None:
            once.add_to(write, issued)
    return issued


def _may_be_rotated(key: Credential, now_ms: int) -> Condition:
    """The rule, judged where it can't be raced: the key lives, has no live successor and no live predecessor."""
    # The successor's end was computed from the grace that this process has read: one that began meanwhile must refuse.
    grace = Credential.retires_at
    lives = (
        Credential.revoked_at.does_not_exist()
        & (Credential.expires_at.does_not_exist() | (Credential.expires_at > now_ms))
        & (grace.does_not_exist() if key.retires_at is None else (grace == key.retires_at) & (grace > now_ms))
    )
    is_last = Credential.successor_id.does_not_exist() | Credential.successor_ends_at.between(1, now_ms)
    is_alone = Credential.predecessor_ends_at.does_not_exist() | (Credential.predecessor_ends_at <= now_ms)
    # A key narrowed meanwhile must not come back with the scopes that this process has read.
    rule: Condition = lives & is_last & is_alone & (Credential.scopes == key.scopes)
    return rule


def _expiry(maker: Principal, key: Credential) -> int | None:
    """Return the earlier of the key's own end, the grace of one that was rotated before included, and the maker's."""
    return min((end for end in (key.ends_at, maker.ends_at_ms) if end), default=None)


def _explain(key: Credential) -> None:
    """Raise what refused the key; return when nothing does any more and another try is worth it."""
    now_ms = clock.now_ms()
    if not key.is_live():
        raise errors.Conflict("An expired or revoked key can't be rotated. Create a new key.")
    if key.successor_id is not None and not (key.successor_ends_at and key.successor_ends_at <= now_ms):
        raise errors.Conflict(f"This key was already rotated; its successor is {key.successor_id}.")
    if key.predecessor_ends_at is not None and key.predecessor_ends_at > now_ms:
        raise errors.Conflict(
            f"The predecessor of this key still works until {clock.iso(key.predecessor_ends_at)}. Revoke it, or wait."
        )
