"""Find the keys of an account. A key of another account is treated as if it didn't exist."""

from collections.abc import Iterator

from chalicelib.accounts import roles
from chalicelib.core import errors, ids
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.tables import Credential

FIRST_KEY_ID, LAST_KEY_ID = "key_", "key_~"


def owned_key(account_id: str, key_id: str, manager: Principal | None = None) -> Credential:
    """Return the account's key with this id; raise NotFound when there is no such key.

    If `manager` is to change the key, raise InsufficientRole if it is the key of another user and `manager` has less
    than the role admin.
    """
    if ids.is_id(key_id, "key"):
        for key in Credential.by_account.query(account_id, Credential.id == key_id):
            if manager is not None and not may_manage(manager.role, manager.user_id, key):
                raise errors.InsufficientRole(roles.ADMIN)
            return key
    raise _not_found()


def may_manage(role: str, user_id: str, key: Credential) -> bool:
    """Return whether a user with this role in the account may change, rotate or revoke a key of it.

    The keys of all departed users belong to the service user. One of them may not manage another with a higher role.
    """
    if roles.has_rights_of(role, roles.ADMIN):
        return True
    is_of_service_user = roles.is_service_user(key.user_id, key.account_id)
    return key.user_id == user_id and (not is_of_service_user or roles.has_rights_of(role, key.role or roles.ADMIN))


def key_of_item(item: dynamodb.Json) -> Credential:
    """Return the key whose `item` was returned with a failed condition. Raises NotFound if there was no item."""
    if not item:
        raise _not_found()
    return Credential.from_raw_data(item)


def keys_of(account_id: str, *, after: str = FIRST_KEY_ID, limit: int | None = None) -> Iterator[Credential]:
    """Yield the account's keys whose id is greater than `after`, oldest first.

    Expired and revoked keys are listed for 30 more days.
    """
    # A space sorts before every character of an id, so no id sorts between `after` and this bound.
    beyond = Credential.id.between(f"{after} ", LAST_KEY_ID)
    yield from Credential.by_account.query(account_id, beyond, limit=limit)


def _not_found() -> errors.NotFound:
    return errors.NotFound("There is no such key.")
