"""Run the background functions of a local run. In AWS, Lambda invokes them for stream records and by schedule.

Two threads read the DynamoDB streams of events and of jobs, and another thread runs the scheduled functions.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any

import botocore.config
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.api import background
from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError

LOOKS_EVERY_S = 0.3
_CHECKED_EVERY_S = 0.5


def start() -> threading.Event:
    """Start the threads. They end with the process, or soon after the returned event is set."""
    ended = threading.Event()
    works: tuple[tuple[Callable[..., None], Any], ...] = (
        (_follow, ("events", ("INSERT",), background.follow_up)),
        (_follow, ("jobs", ("INSERT", "MODIFY"), background.work_on_jobs)),
        (_keep_time, ()),
    )
    for work, arguments in works:
        threading.Thread(target=work, args=(ended, *arguments), daemon=True).start()
    return ended


def _follow(
    ended: threading.Event, table: str, changes: Collection[str], process: Callable[[list[dynamodb.Json]], None]
) -> None:
    records = _Records(table, changes)
    while not ended.wait(LOOKS_EVERY_S):
        try:
            for images in records.new():
                process(images)
        except Exception:
            # Read the same records again, as Lambda does; their processing is idempotent.
            telemetry.error("stream_failed")
            records = _Records(table, changes)


def _keep_time(ended: threading.Event) -> None:
    minute = hour = 0
    while not ended.wait(_CHECKED_EVERY_S):
        now_s = clock.now_s()
        if now_s // 60 != minute:
            minute = now_s // 60
            # Start a run even if the previous one hasn't ended, as Lambda does.
            threading.Thread(target=background.every_minute, daemon=True).start()
        if clock.hour_of(now_s) != hour:
            hour = clock.hour_of(now_s)
            threading.Thread(target=background.every_hour, daemon=True).start()


class _Records:
    """Reads the stream of a table from the beginning, so that no record of a killed run is missed."""

    def __init__(self, table: str, changes: Collection[str]) -> None:
        self._table, self._changes = table, changes
        # dynoxide's shard ids are too short for botocore's parameter validation.
        config = botocore.config.Config(parameter_validation=False)
        self._client = botocore.session.get_session().create_client("dynamodbstreams", config=config)
        self._iterators: dict[str, str | None] = {}

    def new(self) -> Iterator[list[dynamodb.Json]]:
        """Yield the items that are new or changed since the last call, in the same order and batches as Lambda."""
        if not any(self._iterators.values()):
            self._find_shards()
        for shard in self._iterators:
            iterator = self._iterators[shard]
            while iterator:
                response = self._client.get_records(ShardIterator=iterator)
                records = response["Records"]
                if records:
                    yield [each["dynamodb"]["NewImage"] for each in records if each["eventName"] in self._changes]
                # Advance only after the records were processed, so that they are read again after a failure.
                iterator = self._iterators[shard] = response.get("NextShardIterator")
                if not records:
                    break

    def _find_shards(self) -> None:
        """Add iterators for new shards of the stream."""
        try:
            stream = _arn(self._table)
            found: list[dict[str, Any]] = self._client.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        except (BotoCoreError, ClientError, DynamoDBError):
            return
        for shard in found:
            if shard["ShardId"] not in self._iterators:
                asked = {"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
                self._iterators[shard["ShardId"]] = self._client.get_shard_iterator(**asked)["ShardIterator"]


def _arn(table: str) -> str:
    described = dynamodb.call("DescribeTable", {"TableName": settings.current().table(table)})
    return str(described["Table"].get("LatestStreamArn", ""))
