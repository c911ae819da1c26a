"""Jobs: the work that remains after a request has made a change that is already in effect.

A job is one item, stored in the transaction that makes the change. The stream of the table invokes the function `job`,
which works for a few seconds and saves the progress; this write invokes it again, until nothing remains. All work is
idempotent, so whatever a killed function has done is done again. A write of the progress is conditional on the version
that was read: of two functions that work on one job, only one saves its progress.
"""

from chalicelib.core import clock
from chalicelib.core.dynamodb import models
from chalicelib.jobs.tables import Job
from chalicelib.limits import stale_marks

OF_ACCOUNT, OF_CLIENT, OF_CONSENT, OF_MEMBER, OF_OWNER, OF_PROOF, OF_RESET, OF_USER = (
    *("account", "client", "consent", "member", "owner", "proof", "reset", "user"),
)
SETTLED_MS = 60_000
"""A job is repeated for this long even if it finds nothing more to do, because an index may not show every item yet."""
RESTART_MS = 60_000
"""The function `minute` restarts a job that has saved no progress for this long. Then no function is at work any more,
because the function `job` is killed after a minute.
"""
BATCH = 50
"""Number of items that one batch revokes, deletes or invalidates. A batch takes about a second."""


def new(kind: str, subject: str, *, waits: bool = False) -> Job:
    """Return a new job. The caller must store it in the transaction that makes the change.

    If the job `waits`, the caller must also do the first batch, and then save the progress, which starts the function.
    If the caller is killed before that, the job starts after `RESTART_MS`.
    """
    return _new(f"{kind}#{subject}", kind, subject, waits=waits)


def new_choice(kind: str, subject: str, chosen: set[str], *, by: str) -> Job:
    """Return a new job for the `chosen` ids, which the caller must store; it waits for the first batch, as in `new`.

    `by` is part of its id, so that two jobs for the same subject don't replace each other.
    """
    return _new(f"{kind}#{subject}#{by}", kind, subject, waits=True, chosen=chosen)


def is_first_run(job: Job) -> bool:
    """Record that a job has run; return whether this is its first run, within seconds of its start.

    Only the first run may also terminate items whose creation time is after the start. These items were created
    earlier, but by a function whose clock is fast.
    """
    is_first = job.step is None and clock.now_ms() - job.began_at < stale_marks.CLOCK_SKEW_S * 1000
    job.step = "looked"
    return is_first


def begin_pass(job: Job) -> bool:
    """Record the start of a pass if the job has no progress; return whether the current pass began after `SETTLED_MS`.

    For a job that continues at its progress: only a pass that began so late has seen every item of an index.
    """
    if job.step is None and job.after is None:
        job.pass_began_at = clock.now_ms()
    return job.pass_began_at is not None and job.pass_began_at - job.began_at >= SETTLED_MS


def save(job: Job, *, is_finished: bool, is_stuck: bool = False) -> None:
    """Save the progress, which makes the function `job` continue. Delete the job if it is finished and its last
    pass began after `SETTLED_MS`. A job that records no passes begins anew with every batch.

    A job that is finished too early, or that is stuck, waits until the function `minute` restarts it.
    """
    now_ms = clock.now_ms()
    # The condition fails if the job was restarted, continued or deleted concurrently.
    unchanged = (Job.began_at == job.began_at) & (Job.version == job.version)
    with models.ignore_condition_failure():
        if is_finished and (job.pass_began_at or now_ms) - job.began_at >= SETTLED_MS:
            Job(job.id).delete(condition=unchanged)
            return
        Job(job.id).update(
            actions=[
                Job.step.set(job.step) if job.step else Job.step.remove(),
                Job.after.set(job.after) if job.after else Job.after.remove(),
                Job.pass_began_at.set(job.pass_began_at) if job.pass_began_at else Job.pass_began_at.remove(),
                Job.waits.set(True) if is_finished or is_stuck else Job.waits.remove(),
                Job.due_at.set(job.began_at + SETTLED_MS if is_finished else now_ms + RESTART_MS),
                Job.version.add(1),
            ],
            condition=unchanged,
        )


def restart(job: Job) -> None:
    """Make the function `job` continue a job from its last progress, unless another function has continued it."""
    with models.ignore_condition_failure():
        Job(job.id).update(
            actions=[Job.waits.remove(), Job.due_at.set(clock.now_ms() + RESTART_MS), Job.version.add(1)],
            condition=(Job.began_at == job.began_at) & (Job.version == job.version),
        )


def _new(job_id: str, kind: str, subject: str, *, waits: bool, chosen: set[str] | None = None) -> Job:
    now_ms = clock.now_ms()
    return Job(
        job_id,
        kind=kind,
        subject=subject,
        began_at=now_ms,
        due_at=now_ms + RESTART_MS,
        version=1,
        waits=waits or None,
        chosen=chosen,
    )
