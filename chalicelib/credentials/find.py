"""Finding an account's keys. Someone else's key is not found, like one that never was."""

from collections.abc import Iterator

from chalicelib.core import errors, ids
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.tables import Credential

FIRST_KEY_ID, LAST_KEY_ID = "key_", "key_~"


def owned_key(account_id: str, key_id: str) -> Credential:
    """Return an account's key by its id; raise NotFound when it has none of this id."""
    if ids.is_id(key_id, "key"):
        for key in Credential.by_account.query(account_id, Credential.id == key_id):
            return key
    raise _none()


def as_it_stood(item: dynamodb.Json) -> Credential:
    """Return the key that refused a change, by the item that it was refused for; raise NotFound when there is none."""
    if not item:
        raise _none()
    return Credential.from_raw_data(item)


def keys_of(account_id: str, *, after: str = FIRST_KEY_ID, limit: int | None = None) -> Iterator[Credential]:
    """Return an account's keys oldest first, from beyond the id `after`; ended ones until 30 days past their end."""
    beyond = Credential.id.between(
        f"{after} ", LAST_KEY_ID
    )  # no id holds a space, and it sorts before all that may follow
    yield from Credential.by_account.query(account_id, beyond, limit=limit)


def _none() -> errors.NotFound:
    return errors.NotFound("There is no such key.")
