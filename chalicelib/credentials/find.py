"""Find the keys of an account. A key of another account is treated as if it didn't exist."""

from collections.abc import Iterator

from chalicelib.core import errors, ids
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.tables import Credential

FIRST_KEY_ID, LAST_KEY_ID = "key_", "key_~"


def owned_key(account_id: str, key_id: str) -> Credential:
    """Return the account's key with this id; raise NotFound when there is no such key."""
    if ids.is_id(key_id, "key"):
        for key in Credential.by_account.query(account_id, Credential.id == key_id):
            return key
    raise _not_found()


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
