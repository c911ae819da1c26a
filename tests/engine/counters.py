"""Read and write an account's counters directly in the DynamoDB emulator, without the cache of any process."""

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import counter_items, tiers
from tests.support.harness import START_MS, AccountOfTest


def read_item(account: AccountOfTest) -> dynamodb.Json:
    """Return an account's DynamoDB counter item for the hour in which all tests start."""
    found: dynamodb.Json = dynamodb.call("GetItem", _where(account) | {"ConsistentRead": True})["Item"]
    return found


def read_used(account: AccountOfTest) -> int:
    """Return an account's used quota of this hour."""
    return counter_items.number(read_item(account), "used")


def set_used(account: AccountOfTest, count: int) -> None:
    """Set an account's used quota of this hour."""
    dynamodb.call(
        "UpdateItem",
        _where(account)
        | {"UpdateExpression": "SET used = :count", "ExpressionAttributeValues": {":count": {"N": str(count)}}},
    )


def _where(account: AccountOfTest) -> dynamodb.Json:
    key = counter_items.item_key(account.id, tiers.BY_NAME[account.tier], START_MS // 1000)
    return {"TableName": settings.current().table(counter_items.TABLE), "Key": key}
