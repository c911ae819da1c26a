"""Renaming a key, narrowing its scopes, choosing what is done when it behaves strangely.

Scopes are never widened: a leaked key must not grow.
"""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import size
from pynamodb.expressions.update import Action

from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials import scopes
from chalicelib.credentials.find import owned_key
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks


def change_key(
    account_id: str, key_id: str, *, name: str | None, wanted: list[str] | None, on_anomaly: str | None = None
) -> Credential:
    """Give a key a new `name`, narrow it to the scopes `wanted`, choose what is done `on_anomaly`; what is None stays.

    Raises NotFound, InvalidRequest for a scope the key doesn't have, Conflict when the key is revoked, Unavailable when
    it is narrowed but not every function could be told.
    """
    key = owned_key(account_id, key_id)
    condition = Credential.id.exists() & Credential.revoked_at.does_not_exist()
    for scope in wanted or ():
        # The rule itself: only what the key still has, also when someone narrows it at the same moment.
        condition &= Credential.scopes.contains(scope)
    actions, told = _changes(name, wanted, on_anomaly)
    try:
        with models.transaction() as write:
            write.update(Credential(key.digest), actions=actions, condition=condition)
            for kind, changed in told.items():
                record.add_to(write, account_id, kind, {"key": key.id, **changed})
    except TransactWriteError as error:
        if not models.refused(error):
            raise
        raise _why_not(key.digest, wanted or []) from None
    if wanted is not None and not stale_marks.mark(account_id):
        raise errors.Unavailable(
            "The scopes are removed, but may still work for up to 5 more minutes. Repeat the request to be sure."
        )
    return Credential.get(key.digest, consistent_read=True)


def narrow_to_read(key: Credential) -> bool:
    """Take from a key all but `read`, which it must have; return whether this call did. The mark is the caller's."""
    # Of two at once one narrows; a key that was narrowed or revoked before stays as it is.
    condition = Credential.revoked_at.does_not_exist() & Credential.scopes.contains(scopes.READ)
    condition &= size(Credential.scopes) > 1
    with models.may_be_refused():
        with models.transaction() as write:
            write.update(Credential(key.digest), actions=[Credential.scopes.set({scopes.READ})], condition=condition)
            record.add_to(write, key.account_id, kinds.KEY_NARROWED, {"key": key.id, "scopes": scopes.READ})
        return True
    return False


def _changes(
    name: str | None, wanted: list[str] | None, on_anomaly: str | None
) -> tuple[list[Action], dict[str, dict[str, str]]]:
    """Return what to write and, by kind of event, what to tell of it."""
    actions: list[Action] = []
    told = {}
    if name is not None:
        actions.append(Credential.name.set(name))
        told[kinds.KEY_RENAMED] = {"name": name}
    if wanted is not None:
        actions.append(Credential.scopes.set(set(wanted)))
        told[kinds.KEY_NARROWED] = {"scopes": scopes.joined(wanted)}
    if on_anomaly is not None:
        actions.append(Credential.on_anomaly.set(on_anomaly))
        told[kinds.KEY_POLICY_CHANGED] = {"on_anomaly": on_anomaly}
    return actions, told


def _why_not(digest: str, wanted: list[str]) -> errors.LatchkeyError:
    key = Credential.get(digest, consistent_read=True)
    if key.revoked_at is not None:
        return errors.Conflict("This key is revoked and can't be changed.")
    missing = ", ".join(scope for scope in wanted if scope not in key.scopes)
    return errors.InvalidRequest(f"scopes can only be removed; this key doesn't have {missing}.")
