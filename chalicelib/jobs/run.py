"""Run jobs in slices: the function `job` for each record of the table's stream, restarted by the function `minute`."""

from collections.abc import Callable, Iterable, Mapping

from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import actors
from chalicelib.jobs import progress
from chalicelib.jobs.tables import QUEUE, Job

Kind = Callable[[Job, int], bool]
"""A function that works on a job of one kind until an epoch millisecond, and returns whether nothing remains.

It changes the progress (`step`, `after`) but doesn't save it. It must be idempotent, and two calls may run
concurrently. If a call changes no progress and isn't finished, the next one begins up to two minutes later.
"""
Batch = Callable[[Job], bool]
"""A function that works on one batch of a job, and returns whether nothing remains."""
SLICE_MS = 10_000
"""How long the function `job` works before it saves the progress."""
BATCHES_MAX = 2_000
"""The maximum number of batches in one slice."""
RESTARTS_MAX = 500
"""The maximum number of jobs that one run of the function `minute` restarts: those that are due the longest."""


def in_batches(batch: Batch) -> Kind:
    """Return a function that runs batches until nothing remains or the time is up, at least one."""

    def work(job: Job, until_ms: int) -> bool:
        for _ in range(BATCHES_MAX):
            if batch(job):
                return True
            if clock.now_ms() >= until_ms:
                break
        return False

    return work


def work_on(images: Iterable[dynamodb.Json], kinds: Mapping[str, Kind]) -> None:
    """Run a slice of each job, given as DynamoDB items of the stream.

    An image that isn't the job's current state is skipped, because the stream has a later one. No error is raised,
    because the stream would send a failing job again and delay others; the function `minute` restarts it.
    """
    for image in images:
        try:
            stored = Job.from_raw_data(image)
            if stored.waits:
                continue
            job = Job.found(stored.id)
            is_current = job is not None and (job.began_at, job.version) == (stored.began_at, stored.version)
        except Exception:
            telemetry.error("job_unreadable")
            telemetry.count("BackgroundFaults", task="job")
            continue
        if job is not None and is_current:
            _run_slice(job, kinds)


def restart_overdue() -> int:
    """Restart the jobs whose functions were killed or failed, and those that wait no longer; return their number."""
    overdue = list(Job.by_due.query(QUEUE, Job.due_at <= clock.now_ms(), limit=RESTARTS_MAX))
    for job in overdue:
        progress.restart(job)
    return len(overdue)


def _run_slice(job: Job, kinds: Mapping[str, Kind]) -> None:
    before = job.step, job.after
    try:
        with actors.act_as_system():
            is_finished = kinds[job.kind](job, clock.now_ms() + SLICE_MS)
            progress.save(job, is_finished=is_finished, is_stuck=(job.step, job.after) == before)
    except Exception:
        telemetry.error("job_failed", kind=job.kind, subject=job.subject)
        telemetry.count("BackgroundFaults", task="job")
    else:
        telemetry.info("job_worked", kind=job.kind, subject=job.subject, done=is_finished)
