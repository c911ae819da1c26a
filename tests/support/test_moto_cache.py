"""moto says the same, however quickly: what a transaction that fails has touched, items in their order, a size."""

import pytest

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Cancelled, ConditionFailed, WireError
from tests.support.harness import TestApp

TABLE, OTHER = "latchkey-test-events", "latchkey-test-emails"


def item(account: str, at: str, **more: str) -> dict[str, dict[str, str]]:
    """Return an item of events."""
    return {"account_id": {"S": account}, "id": {"S": at}, **{name: {"S": value} for name, value in more.items()}}


@pytest.fixture
def there(latchkey: TestApp) -> None:
    """Two events of one account and one of another."""
    assert latchkey
    for account, at in (("a", "2"), ("b", "1"), ("a", "1")):
        dynamodb.call("PutItem", {"TableName": TABLE, "Item": item(account, at, kind="first")})


def of_account(account: str) -> list[tuple[str, str]]:
    """Return the events of an account: id and kind."""
    asked = {
        "TableName": TABLE,
        "KeyConditionExpression": "account_id = :a",
        "ExpressionAttributeValues": {":a": {"S": account}},
    }
    return [(each["id"]["S"], each["kind"]["S"]) for each in dynamodb.call("Query", asked)["Items"]]


@pytest.mark.usefixtures("there")
def test_transaction_that_fails_has_changed_nothing() -> None:
    """Neither by its update nor by its put, though it had done both; one that succeeds does."""
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
def test_item_that_grows_too_large_is_refused() -> None:
    """By one long attribute."""
    with pytest.raises(WireError):
        dynamodb.call("PutItem", {"TableName": TABLE, "Item": item("a", "1", kind="x" * 400_000, more="y" * 10_000)})


@pytest.mark.usefixtures("there")
def test_condition_that_was_seen_before_is_judged_by_the_values_of_its_own_call() -> None:
    """And by the names that it gives them."""
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
def test_update_whose_form_has_passed_is_refused_in_another_form() -> None:
    """One that names a key, and one with a path twice, though the same words were taken with other names."""
    asked = {
        "TableName": TABLE,
        "Key": {"account_id": {"S": "a"}, "id": {"S": "1"}},
        "UpdateExpression": "SET #a = :v, #b = :v",
        "ExpressionAttributeValues": {":v": {"S": "x"}},
    }
    dynamodb.call("UpdateItem", asked | {"ExpressionAttributeNames": {"#a": "kind", "#b": "by"}})
    for names in ({"#a": "kind", "#b": "id"}, {"#a": "kind", "#b": "kind"}):
        with pytest.raises(WireError):
            dynamodb.call("UpdateItem", asked | {"ExpressionAttributeNames": names})
