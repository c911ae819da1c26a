"""Change a key: rename it, remove scopes, or set its anomaly policy.

Scopes can't be added, because somebody may have a leaked copy of the key.
"""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import size
from pynamodb.expressions.update import Action

from chalicelib.accounts import invalidation
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials import scopes
from chalicelib.credentials.find import owned_key
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record


def change_key(
    account_id: str,
    key_id: str,
    *,
    name: str | None,
    wanted: list[str] | None,
    on_anomaly: str | None = None,
    manager: Principal | None = None,
) -> Credential:
    """Change the `name`, the scopes (`wanted`) or the policy `on_anomaly` of a key. None means no change.

    Raises NotFound if the account has no such key, InsufficientRole if `manager` may not change it, InvalidRequest for
    a scope that the key doesn't have, and Conflict if the key is revoked. Raises Unavailable if scopes were removed but
    the invalidation mark couldn't be set; the scopes may then work for 5 more minutes.
    """
    key = owned_key(account_id, key_id, manager)
    condition = Credential.id.exists() & Credential.revoked_at.does_not_exist()
    for scope in wanted or ():
        # The condition of the write checks the scopes, because a concurrent request may have removed one.
        condition &= Credential.scopes.contains(scope)
    actions, events = _changes(name, wanted, on_anomaly)
    try:
        with models.transaction() as write:
            write.update(Credential(key.digest), actions=actions, condition=condition)
            for kind, changed in events.items():
                record.add_to(write, account_id, kind, {"key": key.id, **changed})
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        raise _reason(key.digest, wanted or []) from None
    if wanted is not None and not invalidation.mark_account(account_id):
        raise errors.Unavailable(
            "The scopes are removed, but may still work for up to 5 more minutes. Repeat the request to be sure."
        )
    return Credential.get(key.digest, consistent_read=True)


def narrow_to_read(key: Credential) -> bool:
    """Remove all scopes of a key except `read`; return whether this call removed any. A key without `read` isn't
    changed.

    The caller must set the invalidation mark.
    """
    # The condition fails if the key is revoked or has no other scopes, for example after a concurrent call.
    condition = Credential.revoked_at.does_not_exist() & Credential.scopes.contains(scopes.READ)
    condition &= size(Credential.scopes) > 1
    try:
        with models.transaction() as write:
            write.update(Credential(key.digest), actions=[Credential.scopes.set({scopes.READ})], condition=condition)
            record.add_to(write, key.account_id, kinds.KEY_NARROWED, {"key": key.id, "scopes": scopes.READ})
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        return False
    return True


def _changes(
    name: str | None, wanted: list[str] | None, on_anomaly: str | None
) -> tuple[list[Action], dict[str, dict[str, str]]]:
    """Return the actions that update the item, and the details of each event to record, by event type."""
    actions: list[Action] = []
    events = {}
    if name is not None:
        actions.append(Credential.name.set(name))
        events[kinds.KEY_RENAMED] = {"name": name}
    if wanted is not None:
        actions.append(Credential.scopes.set(set(wanted)))
        events[kinds.KEY_NARROWED] = {"scopes": scopes.join(wanted)}
    if on_anomaly is not None:
        actions.append(Credential.on_anomaly.set(on_anomaly))
        events[kinds.KEY_POLICY_CHANGED] = {"on_anomaly": on_anomaly}
    return actions, events


def _reason(digest: str, wanted: list[str]) -> errors.LatchkeyError:
    key = Credential.get(digest, consistent_read=True)
    if key.revoked_at is not None:
        return errors.Conflict("This key is revoked and can't be changed.")
    missing = ", ".join(scope for scope in wanted if scope not in key.scopes)
    return errors.InvalidRequest(f"scopes can only be removed; this key doesn't have {missing}.")
