"""The cached moto gives the same results as moto: rollbacks, the order of items, and size limits."""

import pytest

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Cancelled, ConditionFailed, DynamoDBError
from tests.support.harness import TestApp

TABLE, OTHER = "latchkey-test-events", "latchkey-test-emails"


def item(account: str, at: str, **more: str) -> dict[str, dict[str, str]]:
    """Return the item of an event."""
    return {"account_id": {"S": account}, "id": {"S": at}, **{name: {"S": value} for name, value in more.items()}}


@pytest.fixture
def there(latchkey: TestApp) -> None:
    """Store two events of one account and one event of another."""
    assert latchkey
    for account, at in (("a", "2"), ("b", "1"), ("a", "1")):
        dynamodb.call("PutItem", {"TableName": TABLE, "Item": item(account, at, kind="first")})


def of_account(account: str) -> list[tuple[str, str]]:
    """Return id and kind of each event of an account."""
    asked = {
        "TableName": TABLE,
        "KeyConditionExpression": "account_id = :a",
        "ExpressionAttributeValues": {":a": {"S": account}},
    }
    return [(each["id"]["S"], each["kind"]["S"]) for each in dynamodb.call("Query", asked)["Items"]]


@pytest.mark.usefixtures("there")
def test_failed_transaction_changes_nothing() -> None:
    """A cancelled transaction changes nothing, and a successful one applies both its update and its put."""
    key = {"account_id": {"S": "a"}, "id": {"S": "1"}}
    update = {
        "TableName": TABLE,
        "Key": key,
        "UpdateExpression": "SET kind = :k",
        "ExpressionAttributeValues": {":k": {"S": "second"}},
    }
    put = {"TableName": TABLE, "Item": item("a", "3", kind="third")}
    never = {"TableName": OTHER, "Key": {"email": {"S": "x"}}, "ConditionExpression": "attribute_exists(email)"}
    with pytest.raises(Cancelled):
        dynamodb.call(
            "TransactWriteItems", {"TransactItems": [{"Update": update}, {"Put": put}, {"ConditionCheck": never}]}
        )
    assert of_account("a") == [("1", "first"), ("2", "first")]
    dynamodb.call("TransactWriteItems", {"TransactItems": [{"Update": update}, {"Put": put}]})
    assert of_account("a") == [("1", "second"), ("2", "first"), ("3", "third")]
    assert of_account("b") == [("1", "first")]


@pytest.mark.usefixtures("there")
def test_oversized_item_is_rejected() -> None:
    """An item is rejected if one long attribute makes it exceed DynamoDB's limit."""
    with pytest.raises(DynamoDBError):
        dynamodb.call("PutItem", {"TableName": TABLE, "Item": item("a", "1", kind="x" * 400_000, more="y" * 10_000)})


@pytest.mark.usefixtures("there")
def test_cached_condition_uses_the_values_of_its_call() -> None:
    """A cached condition is evaluated with the names and values of the current call."""
    asked = {
        "TableName": TABLE,
        "Key": {"account_id": {"S": "a"}, "id": {"S": "1"}},
        "UpdateExpression": "SET #n = :new",
        "ConditionExpression": "#n = :old OR #n IN (:old, :other)",
    }
    for name, old, new in (("kind", "first", "second"), ("kind", "second", "first"), ("by", "x", "y")):
        values = {":old": {"S": old}, ":other": {"S": old}, ":new": {"S": new}}
        call = asked | {"ExpressionAttributeNames": {"#n": name}, "ExpressionAttributeValues": values}
        if name == "kind":
            dynamodb.call("UpdateItem", call)
        with pytest.raises(ConditionFailed):
            dynamodb.call("UpdateItem", call)


@pytest.mark.usefixtures("there")
def test_validated_update_is_validated_again_with_other_names() -> None:
    """A cached update expression is rejected when its names refer to a key or repeat a path."""
    asked = {
        "TableName": TABLE,
        "Key": {"account_id": {"S": "a"}, "id": {"S": "1"}},
        "UpdateExpression": "SET #a = :v, #b = :v",
        "ExpressionAttributeValues": {":v": {"S": "x"}},
    }
    dynamodb.call("UpdateItem", asked | {"ExpressionAttributeNames": {"#a": "kind", "#b": "by"}})
    for names in ({"#a": "kind", "#b": "id"}, {"#a": "kind", "#b": "kind"}):
        with pytest.raises(DynamoDBError):
            dynamodb.call("UpdateItem", asked | {"ExpressionAttributeNames": names})
