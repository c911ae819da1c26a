"""Renaming a key and narrowing its scopes. Scopes are never widened: a leaked key must not grow."""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action

from chalicelib.core import errors, tables
from chalicelib.credentials import scopes
from chalicelib.credentials.find import owned_key
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record
from chalicelib.limits import stale


def change_key(account_id: str, key_id: str, *, name: str | None, wanted: list[str] | None) -> Credential:
    """Give a key a new `name`, narrow it to the scopes `wanted`, or both; what is None stays.

    Raises NotFound, InvalidRequest for a scope the key doesn't have, Conflict when the key is revoked, Unavailable when
    it is narrowed but not every function could be told.
    """
    key = owned_key(account_id, key_id)
    actions: list[Action] = []
    condition = Credential.id.exists() & Credential.revoked_at.does_not_exist()
    if name is not None:
        actions.append(Credential.name.set(name))
    if wanted is not None:
        actions.append(Credential.scopes.set(set(wanted)))
        for scope in wanted:
            # The rule itself: only what the key still has, also when someone narrows it at the same moment.
            condition &= Credential.scopes.contains(scope)
    try:
        with tables.transaction() as write:
            write.update(Credential(key.digest), actions=actions, condition=condition)
            if name is not None:
                record.add_to(write, account_id, kinds.KEY_RENAMED, {"key": key.id, "name": name})
            if wanted is not None:
                told = {"key": key.id, "scopes": scopes.joined(wanted)}
                record.add_to(write, account_id, kinds.KEY_NARROWED, told)
    except TransactWriteError as error:
        if not tables.refused(error):
            raise
        raise _why_not(key.digest, wanted or []) from None
    if wanted is not None and not stale.mark(account_id):
        raise errors.Unavailable(
            "The key is narrowed, but its old scopes may work for up to 5 more minutes. Send this again to be sure."
        )
    return Credential.get(key.digest, consistent_read=True)


def _why_not(digest: str, wanted: list[str]) -> errors.LatchkeyError:
    key = Credential.get(digest, consistent_read=True)
    if key.revoked_at is not None:
        return errors.Conflict("This key is revoked and can't be changed.")
    missing = ", ".join(scope for scope in wanted if scope not in key.scopes)
    return errors.InvalidRequest(f"scopes can only be narrowed; this key doesn't have {missing}.")
