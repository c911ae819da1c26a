"""Models read and write items like pynamodb, at a fraction of the cost."""

import json
from typing import Any

import pytest
from pynamodb.attributes import MapAttribute
from pynamodb.exceptions import TransactWriteError
from pynamodb.models import Model

from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials.tables import Credential
from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client, Consent, OneTimeToken
from tests.support.harness import TestApp
from tests.support.interleaving import record_calls

ITEMS: list[tuple[type[models.Table], dict[str, Any]]] = [
    (Account, {"id": "acc_1", "name": "Ada", "tier": "pro", "created_at": 1}),
    (Account, {"id": "acc_1", "name": "Ada", "tier": "pro", "created_at": 1, "live_keys": {"k": 7}}),
    (Account, {"id": "acc_1", "status": "suspended", "credentials_since": 5, "tier_changed_at": 6, "owners": 2}),
    (User, {"id": "usr_1", "email": "a@example.com", "name": "Ada", "created_at": 1}),
    (User, {"id": "usr_1", "admin": True, "status": "deleted", "session_epoch": 3, "account_ids": {"acc_1", "acc_2"}}),
    (Member, {"account_id": "acc_1", "user_id": "usr_1", "role": "owner", "since": 1}),
    (Credential, {"digest": "d", "scopes": {"write", "read"}, "expires_at": 5, "for_this_api": False}),
    (Client, {"client_id": "app_1", "redirect_uris": ["https://a.example/1", "https://a.example/2"]}),
    (Client, {"client_id": "app_1", "grant_types": {"refresh_token"}}),
    (OneTimeToken, {"digest": "d", "sealed": b"\x00\xff", "consumed_at": 0}),
]


@pytest.mark.parametrize(("model", "values"), ITEMS)
def test_item_is_read_like_pynamodb(model: type[models.Table], values: dict[str, Any]) -> None:
    """Present, absent, defaulted and unknown attributes are read to the same values as by pynamodb."""
    item = model(**values).serialize(null_check=False) | {"unknown": {"S": "x"}, "name": {"NULL": True}}
    expected: Any = Model.from_raw_data.__func__(model, item)  # type: ignore[attr-defined]  # a class method's function
    actual = model.from_raw_data(item)
    for name in model.get_attributes():
        assert _plain(getattr(actual, name)) == _plain(getattr(expected, name)), name
        assert type(getattr(actual, name)) is type(getattr(expected, name)), name
    assert actual.serialize(null_check=False) == expected.serialize(null_check=False)


def _plain(value: Any) -> Any:
    return value.as_dict() if isinstance(value, MapAttribute) else value


def test_defaults_are_not_shared() -> None:
    """Items don't share a default: a change to one item's map doesn't affect another item."""
    one, other = (Account.from_raw_data({"id": {"S": name}}) for name in ("acc_1", "acc_2"))
    one.live_keys["key_1"] = 1
    assert other.live_keys.as_dict() == {}


@pytest.mark.parametrize(("model", "values"), ITEMS)
def test_item_is_written_like_pynamodb(model: type[models.Table], values: dict[str, Any]) -> None:
    """An item is written with the same values as by pynamodb, except that defaults aren't added."""
    expected = model(**values).serialize(null_check=False)
    assert model.item(**values).items() <= expected.items()
    assert model.item(**values).keys() == values.keys()


def test_item_has_no_empty_or_unknown_attribute() -> None:
    """Empty sets, which DynamoDB rejects, are not written; an attribute that the model doesn't have is an error."""
    assert Credential.item(digest="d", scopes=set(), name=None) == {"digest": {"S": "d"}}
    with pytest.raises(KeyError):
        Credential.item(digets="d")


@pytest.mark.usefixtures("latchkey")
def test_failed_write_of_a_transaction_is_found_by_its_item() -> None:
    """A transaction's failed write is identified by its item, whatever the order of the writes."""
    OneTimeToken("there", kind="device", client_id="app_1", expires_at=1).save()
    write = models.transaction()
    is_spent = OneTimeToken.kind == "spent"
    write.update(
        OneTimeToken("there"), actions=[OneTimeToken.consumed_at.set(1)], condition=is_spent, return_values="ALL_OLD"
    )
    write.update(
        OneTimeToken("gone"), actions=[OneTimeToken.consumed_at.set(1)], condition=OneTimeToken.digest.exists()
    )
    write.save(
        OneTimeToken("new", kind="device", client_id="app_1", expires_at=1),
        condition=OneTimeToken.digest.does_not_exist(),
    )
    write.delete(OneTimeToken("old"))
    with pytest.raises(TransactWriteError) as raised, write:
        pass
    assert models.is_condition_failure(raised.value)
    stood = models.find_failed_write(raised.value, OneTimeToken("there"))
    assert stood is not None
    assert stood["client_id"] == {"S": "app_1"}
    assert models.find_failed_write(raised.value, OneTimeToken("gone")) == {}
    assert models.find_failed_write(raised.value, OneTimeToken("new")) is None
    assert models.find_failed_write(raised.value, OneTimeToken("old")) is None
    with pytest.raises(ValueError, match="no write with this key"):
        models.find_failed_write(raised.value, OneTimeToken("another"))


@pytest.mark.usefixtures("cut_off")
def test_unsent_transaction_has_no_failed_write() -> None:
    """A transaction that failed for a reason other than a condition has no failed write."""
    write = models.transaction()
    write.delete(OneTimeToken("old"))
    with pytest.raises(TransactWriteError) as raised, write:
        pass
    assert not models.is_condition_failure(raised.value)
    assert models.find_failed_write(raised.value, OneTimeToken("old")) is None


IMPOSSIBLE = {
    "empty": "",
    "over 2,048 bytes": "€" * 683,
    "half a surrogate pair": "a\ud800",
    "a megabyte": "x" * 1_000_000,
}


@pytest.mark.parametrize("text", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_key_is_not_found_without_a_call(latchkey: TestApp, text: str) -> None:
    """A read of an invalid key finds nothing without a call, because DynamoDB would reject the whole call."""
    given: dict[str, Any] = {"grant_types": {clients.DEVICE}, "scopes": {"read"}, "registered_by": "self"}
    Client("app_1", name="App", auth_method="none", created_at=1, **given).save()
    requests: list[str] = []
    send = dynamodb.sender()

    def recording(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        requests.append(json.dumps(body))
        return send(operation, body)

    with dynamodb.use_sender(recording):
        assert Client.found(text) is None
        assert Consent.found("usr_1", text) is None
        assert requests == []
        keys: dict[type[models.Table], dynamodb.Json] = {
            Client: Client.item(client_id="app_1"),
            OneTimeToken: {"digest": {"S": text}},
        }
        assert list(models.find_in_one_call(keys)) == [Client]


def test_longest_key_is_found(latchkey: TestApp) -> None:
    """An item is found by the longest keys: 2,048 bytes for a partition key, 1,024 for a sort key."""
    assert models.can_be_hash_key("é" * 1_024)
    assert not models.can_be_hash_key("é" * 1_024 + "e")
    assert models.can_be_range_key("é" * 512)
    assert not models.can_be_range_key("é" * 512 + "e")
    assert Client.found("é" * 1_024) is None
    assert Consent.found("usr_1", "é" * 512) is None


def test_empty_transaction_is_not_sent(latchkey: TestApp) -> None:
    """A transaction without writes makes no call, because DynamoDB rejects an empty transaction."""
    with record_calls() as calls, models.transaction():
        pass
    assert calls == []
