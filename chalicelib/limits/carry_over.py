"""Copy the usage of the current hour from one subject to another that replaces it.

It uses single updates, because a transaction on a counter would make concurrent admissions fail.
"""

from chalicelib.core import clock, errors, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import stale_marks
from chalicelib.limits.counter_items import TABLE, delete_at_s, item_key, number
from chalicelib.limits.tiers import OF_ACCOUNTS, Tier


def carry_over(old: str, new: str, tier: Tier) -> None:
    """Set the usage of `new`, which has no requests yet, to the usage of `old` in this hour. Idempotent.

    Raises Unavailable when the usage of `old` can't be determined.
    """
    # Set the mark before the usage of `old` is read, so that callers who were verified earlier can't increase it any
    # more.
    if not stale_marks.mark(old, OF_ACCOUNTS):
        raise errors.Unavailable
    hour, used = clock.hour_of(clock.now_s()), used_in_hour(old)
    if used:
        dynamodb.call(
            "UpdateItem",
            {
                "TableName": settings.current().table(TABLE),
                "Key": item_key(new, tier, hour),
                "UpdateExpression": "SET used = :used, dies_at = :dies_at",
                "ExpressionAttributeValues": {
                    ":used": {"N": str(used)},
                    ":dies_at": {"N": str(delete_at_s(tier, hour))},
                },
            },
        )


def used_in_hour(account_id: str) -> int:
    """Return the number of requests that an account has made in this hour, in all tiers together."""
    hour, table = clock.hour_of(clock.now_s()), settings.current().table(TABLE)
    keys = [item_key(account_id, each, hour) for each in OF_ACCOUNTS]
    return sum(number(item, "used") for item in dynamodb.batch_get_table(table, keys, consistent=True))
