"""What a subject used of this hour, carried to the one that takes its place.

Plain writes, never a transaction: one that touches a counter would make concurrent admissions fail.
"""

from chalicelib.core import clock, errors, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import stale_marks
from chalicelib.limits.counter_items import TABLE, dies_at, item_key, number
from chalicelib.limits.tiers import OF_ACCOUNTS, Tier


def carry_over(old: str, new: str, tier: Tier) -> None:
    """Let `new`, which nobody has used yet, begin this hour with what `old` used of it; repeating it is harmless.

    Raises Unavailable when that can't be known for sure.
    """
    # Marked before it is read: what was verified earlier adds nothing to the old counters afterwards.
    if not stale_marks.mark(old):
        raise errors.Unavailable
    hour, table = clock.hour_of(clock.now_s()), settings.current().table(TABLE)
    counted = dynamodb.batch_get_of(table, [item_key(old, each, hour) for each in OF_ACCOUNTS], consistent=True)
    used = sum(number(item, "used") for item in counted)
    if used:
        dynamodb.call(
            "UpdateItem",
            {
                "TableName": table,
                "Key": item_key(new, tier, hour),
                "UpdateExpression": "SET used = :used, dies_at = :dies_at",
                "ExpressionAttributeValues": {":used": {"N": str(used)}, ":dies_at": {"N": str(dies_at(tier, hour))}},
            },
        )
