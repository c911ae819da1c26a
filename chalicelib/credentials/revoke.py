"""Revocation: the key stops at the next request, everywhere, for good; repeating it is harmless."""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials import key_limit
from chalicelib.credentials.find import as_it_stood, owned_key
from chalicelib.credentials.issue import KEPT_PAST_END_S
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks


def revoke(account_id: str, key_id: str) -> None:
    """End a key of an account now.

    Raises NotFound; Unavailable when it is revoked but not every function could be told: then it is worth repeating.
    """
    end(owned_key(account_id, key_id))
    if not stale_marks.mark(account_id):
        raise errors.Unavailable(
            "The key is revoked, but may be accepted for up to 5 more minutes. Revoke it again to be sure."
        )


def end(key: Credential) -> bool:
    """End a key, and return whether this call did. The mark is the caller's to set."""
    while key.revoked_at is None:
        try:
            _end(key)
        except TransactWriteError as error:
            stood = models.refused_write(error, Credential(key.digest))
            if stood is None:
                raise
            key = as_it_stood(stood)
        else:
            return True
    return False


def end_token(token: Credential) -> bool:
    """End an access token by itself, and return whether this call did. The mark is the caller's to set."""
    with models.may_be_refused():
        with models.transaction() as write:
            write.update(
                Credential(token.digest),
                actions=[Credential.revoked_at.set(clock.now_ms())],
                condition=Credential.id.exists() & Credential.revoked_at.does_not_exist(),
            )
            told = {"token": token.id, "application": str(token.client_id)}
            record.add_to(write, token.account_id, kinds.TOKEN_REVOKED, told)
        return True
    return False


def _end(key: Credential) -> None:
    now_ms = clock.now_ms()
    unchanged: Condition = Credential.successor_id.does_not_exist()
    if key.successor_id is not None:
        unchanged = Credential.successor_id == key.successor_id
    with models.transaction() as write:
        write.update(
            Credential(key.digest),
            actions=[
                Credential.revoked_at.set(now_ms),
                Credential.dies_at.set(now_ms // 1000 + KEPT_PAST_END_S),
            ],
            # Against another revocation, and against a rotation that would leave its successor with a dead neighbour.
            condition=Credential.id.exists() & Credential.revoked_at.does_not_exist() & unchanged,
            return_values="ALL_OLD",
        )
        record.add_to(write, key.account_id, kinds.KEY_REVOKED, {"key": key.id, "name": key.name})
        key_limit.count_out(write, Account(key.account_id), key)
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
