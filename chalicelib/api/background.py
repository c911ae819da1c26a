"""Lambda functions that handle no HTTP request: `stream` processes events, `job` does long work,
`minute` and `hour` run on a schedule.

Each is deployed separately, as `chalicelib.api.background.<name>`, and imports only the modules that it needs. In a
local run a thread calls the same functions.
"""

from collections.abc import Callable, Iterable
from typing import Any

from chalice.app import Blueprint, CloudWatchEvent, DynamoDBEvent

from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb

EVENTS_STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/latchkey-events/stream/set-by-the-data-stack"
"""A placeholder, because Chalice requires an ARN when this module is imported. A deployment replaces it with the ARN of
the events stream, which the data stack creates.
"""
JOBS_STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/latchkey-jobs/stream/set-by-the-data-stack"
"""As above, for the stream of the table `jobs`."""
SWEEP_MS = 45_000
"""How long after its start the function `minute` may start webhook deliveries. Because of this limit, a run of the
function ends before the next run starts.
"""
WATCH_MS = 10 * 60_000
REPAIR_MS = 13 * 60_000
"""How long after its start the function `hour` may start to check further accounts for missing webhook deliveries. Its
timeout is 15 minutes.
"""

blueprint = Blueprint(__name__)


@blueprint.on_dynamodb_record(stream_arn=EVENTS_STREAM, name="stream", batch_size=100, starting_position="TRIM_HORIZON")
def stream(records: DynamoDBEvent) -> None:
    """Process a batch of events. A database error is raised, so that Lambda retries the batch."""
    follow_up([record.new_image for record in records if record.event_name == "INSERT"])


@blueprint.on_dynamodb_record(stream_arn=JOBS_STREAM, name="job", batch_size=1, starting_position="TRIM_HORIZON")
def job(records: DynamoDBEvent) -> None:
    """Work on a job for a few seconds. Saving its progress calls this function again."""
    work_on_jobs([record.new_image for record in records if record.event_name != "REMOVE"])


@blueprint.schedule("rate(1 minute)", name="minute")
def minute(event: CloudWatchEvent) -> None:
    """Check the components of the status page, restart interrupted jobs, and send due webhook deliveries."""
    every_minute()


@blueprint.schedule("cron(5 * * * ? *)", name="hour")
def hour(event: CloudWatchEvent) -> None:
    """Detect unusual activity, and create webhook deliveries that the event stream lost."""
    every_hour()


def follow_up(images: Iterable[dynamodb.Json]) -> None:
    """Process stored events: queue webhook messages, and restore lost invalidation marks.

    Idempotent. Raises an error when the database is unavailable; malformed items are skipped.
    """
    from chalicelib.webhooks import on_events

    on_events.process(images)


def work_on_jobs(images: Iterable[dynamodb.Json]) -> None:
    """Work on each of the jobs, given as stored. Idempotent; a failing job is counted, and restarted by `minute`."""
    from chalicelib.termination import finish

    finish.work_on(images)


def every_minute() -> None:
    """Run the tasks of the function `minute`."""
    from chalicelib.jobs import run
    from chalicelib.uptime import checks
    from chalicelib.webhooks import deliver, delivery_queue

    began_ms = clock.now_ms()
    _run_all(
        ("status_checked", lambda: checks.check(delivery_queue.oldest_overdue_ms)),
        ("jobs_restarted", run.restart_overdue),
        ("webhooks_swept", lambda: deliver.sweep(began_ms + SWEEP_MS)),
    )


def every_hour() -> None:
    """Run the tasks of the function `hour`."""
    from chalicelib.detection import hourly_run
    from chalicelib.webhooks import fan_out

    began_ms = clock.now_ms()
    _run_all(
        ("watched", lambda: hourly_run.sweep(began_ms + WATCH_MS, also=[hourly_run.record_quotas])),
        ("webhooks_missing", lambda: fan_out.enqueue_missing(began_ms, began_ms + REPAIR_MS)),
    )


def _run_all(*tasks: tuple[str, Callable[[], Any]]) -> None:
    """Run every task, even if an earlier one fails."""
    for name, task in tasks:
        try:
            done = task()
        except Exception:
            telemetry.error(f"{name}_failed")
            telemetry.count("BackgroundFaults", task=name)
        else:
            telemetry.info(name, done=done)
