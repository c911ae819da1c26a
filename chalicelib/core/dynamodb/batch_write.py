"""Write many items of one table in a few calls, without conditions."""

from collections.abc import Sequence

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models


def put_all(items: Sequence[models.Table]) -> None:
    """Store any number of items of one table. An existing item is replaced."""
    if items:
        writes = [{"PutRequest": {"Item": item.serialize()}} for item in items]
        dynamodb.batch_write(items[0].Meta.table_name, writes)


def delete_all(items: Sequence[models.Table]) -> None:
    """Delete any number of items of one table. Missing items are ignored."""
    if items:
        writes = [{"DeleteRequest": {"Key": item.key()}} for item in items]
        dynamodb.batch_write(items[0].Meta.table_name, writes)
