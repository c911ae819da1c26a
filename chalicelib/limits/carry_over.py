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
    if not stale_marks.mark(old):
        raise errors.Unavailable
    hour, table = clock.hour_of(clock.now_s()), settings.current().table(TABLE)
    counted = dynamodb.batch_get_table(table, [item_key(old, each, hour) for each in OF_ACCOUNTS], consistent=True)
    used = sum(number(item, "used") for item in counted)
    if used:
        dynamodb.call(
            "UpdateItem",
            {
                "TableName": table,
                "Key": item_key(new, tier, hour),
                "UpdateExpression": "SET used = :used, dies_at = :dies_at",
                "ExpressionAttributeValues": {
                    ":used": {"N": str(used)},
                    ":dies_at": {"N": str(delete_at_s(tier, hour))},
                },
            },
        )
