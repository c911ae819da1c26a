"""What runs without a request: a function on the stream of events, one every minute, one every hour.

Each deploys as a Lambda function of its own, `chalicelib.api.background.<name>`, and imports only what it does. In a
local run a thread calls the same functions.
"""

from collections.abc import Callable, Iterable
from typing import Any

from chalice.app import Blueprint, CloudWatchEvent, DynamoDBEvent

from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb

EVENTS_STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/latchkey-events/stream/set-by-the-data-stack"
"""Chalice wants an ARN at import. The real one is the data stack's to say, and put in its place when it is deployed."""
SWEEP_MS = 45_000
"""How long the minute's function begins new work, so that it is done before the next begins."""
ENDINGS_MS = 15_000
"""How long of that it begins to finish what requests have ended."""
WATCH_MS = 10 * 60_000
REPAIR_MS = 13 * 60_000
"""Until when the hour's function begins to look at an account, and to look for its lost webhooks; it may run for 15."""

blueprint = Blueprint(__name__)


@blueprint.on_dynamodb_record(stream_arn=EVENTS_STREAM, name="stream", batch_size=100, starting_position="TRIM_HORIZON")
def stream(records: DynamoDBEvent) -> None:
    """Follow up what happened. A failure of the database is raised, so that DynamoDB brings the same records again."""
    follow_up([record.new_image for record in records if record.event_name == "INSERT"])


@blueprint.schedule("rate(1 minute)", name="minute")
def minute(event: CloudWatchEvent) -> None:
    """Check how things are, finish what requests have ended, and send what is due."""
    every_minute()


@blueprint.schedule("cron(5 * * * ? *)", name="hour")
def hour(event: CloudWatchEvent) -> None:
    """Look for what was lost, and for what is unusual."""
    every_hour()


def follow_up(images: Iterable[dynamodb.Json]) -> None:
    """Do what follows from events, given as their items: webhooks, and marks that were lost.

    Doing it again is harmless. Raises when the database doesn't answer; an item that makes no sense is left out.
    """
    from chalicelib.webhooks import on_events

    on_events.up(images)


def every_minute() -> None:
    """Do what is done once a minute."""
    from chalicelib.endings import finish
    from chalicelib.uptime import checks
    from chalicelib.webhooks import deliver, delivery_queue

    began_ms = clock.now_ms()
    _each(
        ("status_checked", lambda: checks.check(delivery_queue.oldest_due_ms)),
        ("endings_finished", lambda: finish.all_unfinished(began_ms + ENDINGS_MS)),
        ("webhooks_swept", lambda: deliver.sweep(began_ms + SWEEP_MS)),
    )


def every_hour() -> None:
    """Do what is done once an hour."""
    from chalicelib.detection import hourly_run
    from chalicelib.webhooks import fan_out

    began_ms = clock.now_ms()
    _each(
        ("watched", lambda: hourly_run.sweep(began_ms + WATCH_MS, also=[hourly_run.tell_of_quotas])),
        ("webhooks_missing", lambda: fan_out.put_what_is_missing(began_ms, began_ms + REPAIR_MS)),
    )


def _each(*tasks: tuple[str, Callable[[], Any]]) -> None:
    """Do all of them: one that fails must not keep the others from being done."""
    for name, task in tasks:
        try:
            done = task()
        except Exception:
            telemetry.error(f"{name}_failed")
            telemetry.count("BackgroundFaults", task=name)
        else:
            telemetry.info(name, done=done)
