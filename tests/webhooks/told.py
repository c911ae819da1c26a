"""Changes of an account, their events, and the delivery of these events through the stream."""

from chalicelib.accounts import change
from chalicelib.accounts.tables import Account
from chalicelib.api import background
from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.events import record
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import AccountOfTest, TestApp
from tests.support.webhook_receiver import Receiver

SCHEDULED = {
    "version": "0",
    "id": "0",
    "account": "000000000000",
    "region": "us-east-1",
    "source": "aws.events",
    "detail-type": "Scheduled Event",
    "time": "2021-12-20T10:00:00Z",
    "resources": [],
    "detail": {},
}
"""The input that EventBridge sends to scheduled functions."""


def endpoint_of(account: AccountOfTest, receiver: Receiver, types: list[str] | None = None) -> Endpoint:
    """Create an endpoint of the account with the receiver's URL."""
    return endpoints.create(account.id, url=receiver.url, name="Ledger", types=types or ["account.renamed"])


def happens(latchkey: TestApp, account: AccountOfTest, name: str = "Ada Lovelace") -> str:
    """Advance the clock by a second, rename an account, and return the id of the recorded event."""
    latchkey.clock.forward(1)
    change.rename(account.id, name)
    return record.newest_first(account.id, 1)[0].id


def images(account_id: str) -> list[dynamodb.Json]:
    """Return an account's events as DynamoDB items, as the stream has them."""
    request = {
        "TableName": settings.current().table("events"),
        "KeyConditionExpression": "account_id = :account",
        "ExpressionAttributeValues": {":account": {"S": account_id}},
        "ConsistentRead": True,
    }
    items: list[dynamodb.Json] = dynamodb.call("Query", request)["Items"]
    return items


def stream_of(account_id: str) -> dynamodb.Json:
    """Return an account's events as the input of the Lambda function for the stream."""
    return {
        "Records": [
            {
                "eventID": str(number),
                "eventName": "INSERT",
                "awsRegion": "us-east-1",
                "eventSourceARN": background.EVENTS_STREAM,
                "dynamodb": {
                    "ApproximateCreationDateTime": 1_640_000_000,
                    "Keys": {name: image[name] for name in ("account_id", "id")},
                    "NewImage": image,
                    "SequenceNumber": str(number),
                    "SizeBytes": 300,
                    "StreamViewType": "NEW_IMAGE",
                },
            }
            for number, image in enumerate(images(account_id), start=1)
        ]
    }


def streamed(account: AccountOfTest) -> None:
    """Process all events of an account as the stream does, even if they were processed before."""
    background.follow_up(images(account.id))


def set_status_without_mark(account_id: str, kind: str, status: str) -> None:
    """Change an account's status and record the event, but set no invalidation mark."""
    with models.transaction() as write:
        write.update(Account(account_id), actions=[Account.status.set(status)])
        record.add_to(write, account_id, kind, {})


def delivery(endpoint: Endpoint, message_id: str) -> Delivery:
    """Return the stored delivery of a message."""
    return Delivery.get(endpoint.id, message_id, consistent_read=True)


def reload(endpoint: Endpoint) -> Endpoint:
    """Return the stored endpoint."""
    return endpoints.find_owned(endpoint.account_id, endpoint.id)
