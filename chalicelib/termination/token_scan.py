"""Delete the items of an account or a user from the tables of secrets, which have no index by them, by scanning."""

from collections.abc import Iterator

from chalicelib.accounts.tables import OneTimeToken, Session
from chalicelib.core.dynamodb import batch_write
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.jobs.tables import Job

PAGE_COUNTS_AS = 10
"""Scanning one page of a table (up to 1 MB) counts as this many deletions of a batch."""
Table = type[OneTimeToken] | type[Session]


def delete(table: Table, job: Job, left: int, *, attribute: str, but_kind: str = "") -> int:
    """Delete the items whose `attribute` is the subject of the job, except those of the kind `but_kind`.

    Each call scans only a few pages and notes in the job where to continue. Returns `left` if pages remain, else 0.
    """
    scanned = 0
    for digests, after in _pages(table, job, attribute, but_kind):
        batch_write.delete_all([table(digest) for digest in digests])
        job.after, scanned = after, scanned + PAGE_COUNTS_AS
        if after is not None and scanned >= left:
            return left
    return 0


def _pages(table: Table, job: Job, attribute: str, but_kind: str) -> Iterator[tuple[list[str], str | None]]:
    request = {
        "TableName": table.Meta.table_name,
        "FilterExpression": "#attribute = :subject AND (attribute_not_exists(#kind) OR #kind <> :but)",
        "ProjectionExpression": "digest",
        "ExpressionAttributeNames": {"#attribute": attribute, "#kind": "kind"},
        "ExpressionAttributeValues": {":subject": {"S": job.subject}, ":but": {"S": but_kind or "-"}},
    }
    after = job.after
    while True:
        page = dynamodb.call("Scan", request | ({"ExclusiveStartKey": {"digest": {"S": after}}} if after else {}))
        after = page.get("LastEvaluatedKey", {}).get("digest", {}).get("S")
        yield [item["digest"]["S"] for item in page["Items"]], after
        if after is None:
            return
