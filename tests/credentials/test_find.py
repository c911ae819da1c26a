"""Keys of an account are found by their id and listed in pages, without access tokens."""

import pytest

from chalicelib.core import errors
from chalicelib.credentials import find
from chalicelib.credentials.tables import Credential
from tests.oauth.flow import CLIENT, register_client
from tests.support.harness import TestApp


def test_keys_are_the_accounts_own_oldest_first(latchkey: TestApp) -> None:
    """The list of an account's keys is sorted oldest first, without other accounts' keys and access tokens."""
    account = latchkey.account()
    assert register_client(latchkey, owner=account).ask(CLIENT).status == 200
    latchkey.key(latchkey.account(name="Bea"))
    made = []
    for _ in range(3):
        made.append(latchkey.key(account).key.id)
        latchkey.clock.forward(1)
    assert [key.id for key in find.keys_of(account.id)] == made
    assert [key.id for key in find.keys_of(account.id, limit=2)] == made[:2]
    assert [key.id for key in find.keys_of(account.id, after=made[0], limit=1)] == made[1:2]
    assert [key.id for key in find.keys_of(account.id, after=made[2])] == []


def test_key_is_found_by_its_own_id(latchkey: TestApp) -> None:
    """A key is found by its id; an unknown id or the id of an access token is not found."""
    account = latchkey.account()
    keys = [latchkey.key(account) for _ in range(3)]
    for issued in keys:
        assert find.owned_key(account.id, issued.key.id).digest == issued.key.digest
    assert register_client(latchkey, owner=account).ask(CLIENT).status == 200
    (token,) = [each for each in Credential.by_account.query(account.id) if each.kind == "token"]
    for wrong in (token.id, f"{keys[0].key.id}0", keys[0].key.id[:-1], "", "key_~"):
        with pytest.raises(errors.NotFound, match="There is no such key"):
            find.owned_key(account.id, wrong)


def test_key_of_a_failed_condition_is_read_from_its_item(latchkey: TestApp) -> None:
    """The error of a failed condition contains the key's item, which is empty if the key doesn't exist."""
    key = latchkey.key(latchkey.account()).key
    assert find.key_of_item(key.serialize()).id == key.id
    with pytest.raises(errors.NotFound):
        find.key_of_item({})
