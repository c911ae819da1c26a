"""Lambda functions without a request: for the event stream, for each minute and for each hour.

Each is deployed separately, as `chalicelib.api.background.<name>`, and imports only the modules that it needs. In a
local run a thread calls the same functions.
"""

from collections.abc import Callable, Iterable
from typing import Any

from chalice.app import Blueprint, CloudWatchEvent, DynamoDBEvent

from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb

EVENTS_STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/latchkey-events/stream/set-by-the-data-stack"
"""A placeholder, because Chalice needs an ARN at import. A deployment replaces it with the ARN of the data stack's
stream.
"""
SWEEP_MS = 45_000
"""How long the function `minute` may start new work, so that it ends before the next run."""
ENDINGS_MS = 15_000
"""The part of SWEEP_MS in which the function `minute` continues interrupted deletions."""
WATCH_MS = 10 * 60_000
REPAIR_MS = 13 * 60_000
"""How long the function `hour` may start to repair the webhooks of another account. Its timeout is 15 minutes."""

blueprint = Blueprint(__name__)


@blueprint.on_dynamodb_record(stream_arn=EVENTS_STREAM, name="stream", batch_size=100, starting_position="TRIM_HORIZON")
def stream(records: DynamoDBEvent) -> None:
    """Process a batch of events. A database error is raised, so that Lambda retries the batch."""
    follow_up([record.new_image for record in records if record.event_name == "INSERT"])


@blueprint.schedule("rate(1 minute)", name="minute")
def minute(event: CloudWatchEvent) -> None:
    """Check the components, finish interrupted deletions, and send due webhook messages."""
    every_minute()


@blueprint.schedule("cron(5 * * * ? *)", name="hour")
def hour(event: CloudWatchEvent) -> None:
    """Repair lost webhook messages, and detect unusual activity."""
    every_hour()


def follow_up(images: Iterable[dynamodb.Json]) -> None:
    """Process stored events: queue webhook messages, and restore lost invalidation marks.

    Idempotent. Raises an error when the database is unavailable; malformed items are skipped.
    """
    from chalicelib.webhooks import on_events

    on_events.process(images)


def every_minute() -> None:
    """Run the tasks of each minute."""
    from chalicelib.termination import finish
    from chalicelib.uptime import checks
    from chalicelib.webhooks import deliver, delivery_queue

    began_ms = clock.now_ms()
    _run_all(
        ("status_checked", lambda: checks.check(delivery_queue.oldest_overdue_ms)),
        ("endings_finished", lambda: finish.run_all_pending(began_ms + ENDINGS_MS)),
        ("webhooks_swept", lambda: deliver.sweep(began_ms + SWEEP_MS)),
    )


def every_hour() -> None:
    """Run the tasks of each hour."""
    from chalicelib.detection import hourly_run
    from chalicelib.webhooks import fan_out

    began_ms = clock.now_ms()
    _run_all(
        ("watched", lambda: hourly_run.sweep(began_ms + WATCH_MS, also=[hourly_run.record_quotas])),
        ("webhooks_missing", lambda: fan_out.enqueue_missing(began_ms, began_ms + REPAIR_MS)),
    )


def _run_all(*tasks: tuple[str, Callable[[], Any]]) -> None:
    """Run every task, even after another one has failed."""
    for name, task in tasks:
        try:
            done = task()
        except Exception:
            telemetry.error(f"{name}_failed")
            telemetry.count("BackgroundFaults", task=name)
        else:
            telemetry.info(name, done=done)
