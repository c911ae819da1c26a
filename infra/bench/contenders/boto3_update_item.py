"""Measure boto3's `update_item` with a conditional counting expression, as the baseline for an admission.

The client is created once and called as boto3's documentation shows. The request and the returned item are as large as
in an admission. So the item contains as many burst counters as a counter item, and each second increments the next one.
"""

import os
import time

import boto3

from infra.bench import latchkey
from infra.bench.contender import Work, serve

SLOTS = 9
TABLE = "latchkey-local-windows"


def main() -> None:
    """Measure how long one conditional `update_item` takes."""
    client = boto3.client("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    made = 0

    def operate(number: int) -> bool:
        nonlocal made
        made += 1
        now_s = int(time.time())
        client.update_item(
            TableName=TABLE,
            Key={
                "subject": {"S": f"floor_{number % latchkey.SUBJECTS:013}#pro"},
                "hour": {"N": str(now_s - now_s % 3600)},
            },
            UpdateExpression="SET dies_at = :dies_at ADD used :one, #slot :one, #counter :one",
            ConditionExpression=(
                "(attribute_not_exists(#slot) OR #slot < :burst)"
                " AND (attribute_not_exists(stale_at) OR stale_at <= :verified_at)"
                " AND (attribute_not_exists(used) OR used < :quota)"
            ),
            ExpressionAttributeNames={"#slot": f"s{now_s % SLOTS}", "#counter": "kfloor00"},
            ExpressionAttributeValues={
                ":one": {"N": "1"},
                ":burst": {"N": "1000000"},
                ":quota": {"N": "1000000"},
                ":verified_at": {"N": str(now_s * 1000)},
                ":dies_at": {"N": str(now_s + 31 * 24 * 3600)},
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return True

    with latchkey.ready():
        serve(Work(operate, calls=lambda: made))


if __name__ == "__main__":
    main()
