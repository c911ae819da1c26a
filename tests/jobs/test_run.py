"""Slices of jobs: which records of the stream are worked on, and which jobs are restarted."""

import io
import json

import pytest

from chalicelib.api import background
from chalicelib.core import clock, telemetry
from chalicelib.events import actors
from chalicelib.jobs import progress, run
from chalicelib.jobs.tables import Job
from tests.support.harness import TestApp
from tests.support.interleaving import fail_calls, record_calls
from tests.support.job_runs import job_record, stored_jobs

KIND = "proof"


class Worker:
    """A kind of job that notes its calls, and is finished after some of them."""

    def __init__(self, calls_needed: int = 1) -> None:
        self.calls: list[tuple[str, int, str]] = []
        self.calls_needed = calls_needed
        self.moves = True

    def __call__(self, job: Job, until_ms: int) -> bool:
        """Work on a job."""
        self.calls.append((job.id, until_ms - clock.now_ms(), actors.current().id))
        if self.moves:
            job.step, job.after = "step", str(len(self.calls))
        return len(self.calls) >= self.calls_needed


@pytest.fixture
def log(latchkey: TestApp) -> io.StringIO:
    """Return the log."""
    log = io.StringIO()
    telemetry.write_to(log)
    return log


def start(subject: str = "acc_x", *, waits: bool = False) -> Job:
    """Store a job that starts now, and return it."""
    job = progress.new(KIND, subject, waits=waits)
    job.save()
    return job


def test_slice_works_for_ten_seconds_as_the_system_and_saves(latchkey: TestApp) -> None:
    """A slice has ten seconds, acts as the service, and saves what is left; the next record continues from there."""
    worker, kinds = Worker(calls_needed=2), {}
    kinds[KIND] = worker
    first = start().serialize()
    run.work_on([first], kinds)
    (left,) = stored_jobs()
    assert worker.calls == [("proof#acc_x", 10_000, actors.SYSTEM)]
    assert (left.step, left.after, left.version) == ("step", "1", 2)
    assert not left.waits
    latchkey.clock.forward(60)
    run.work_on([left.serialize()], kinds)
    assert (len(worker.calls), stored_jobs()) == (2, [])


def test_records_that_are_not_current_are_skipped(latchkey: TestApp) -> None:
    """No slice is run for a job that was continued, restarted or deleted after the record, nor for one that waits."""
    worker = Worker(calls_needed=9)
    old = start().serialize()
    progress.save(Job.from_raw_data(old), is_finished=False)
    latchkey.clock.forward(1)
    deleted = start("acc_y").serialize()
    Job("proof#acc_y").delete()
    former = start("acc_z").serialize()
    latchkey.clock.forward(1)
    start("acc_z")
    waiting = start("acc_w", waits=True).serialize()
    with record_calls() as calls:
        run.work_on([old, deleted, former, waiting], {KIND: worker})
    assert (worker.calls, len(calls)) == ([], 3)


def test_job_without_progress_waits_for_a_minute(latchkey: TestApp) -> None:
    """A slice that changes no progress isn't repeated at once, because it would be repeated for ever."""
    worker = Worker(calls_needed=9)
    worker.moves = False
    run.work_on([start().serialize()], {KIND: worker})
    (stuck,) = stored_jobs()
    assert (stuck.waits, stuck.due_at) == (True, clock.now_ms() + 60_000)


def test_failing_and_unreadable_jobs_are_counted_and_block_no_other(latchkey: TestApp, log: io.StringIO) -> None:
    """A job of an unknown kind, and an item that is no job, are counted, and the others are run."""
    worker = Worker()
    images = [{"id": {"S": "proof#acc_b"}}, {}, progress.new("nonsense", "x").serialize(), start().serialize()]
    Job.from_raw_data(images[2]).save()
    run.work_on(images, {KIND: worker})
    assert len(worker.calls) == 1
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["message"] for line in lines if line["level"] == "ERROR"] == ["job_unreadable", "job_failed"]
    assert [line["task"] for line in lines if "BackgroundFaults" in line] == ["job"] * 2


def test_unreachable_database_is_left_to_the_next_minute(latchkey: TestApp, log: io.StringIO) -> None:
    """If a job can't be read, or its progress can't be saved, the function doesn't fail."""
    image, worker = start().serialize(), Worker(calls_needed=9)
    with fail_calls("GetItem", "jobs"):
        run.work_on([image], {KIND: worker})
    assert worker.calls == []
    with fail_calls("UpdateItem", "jobs"):
        run.work_on([image], {KIND: worker})
    assert len(worker.calls) == 1
    assert log.getvalue().count("BackgroundFaults") >= 2


@pytest.mark.parametrize(("after_s", "restarted"), [(59, 0), (60, 2)])
def test_minute_restarts_what_saved_no_progress_for_a_minute(latchkey: TestApp, after_s: int, restarted: int) -> None:
    """The function `minute` restarts jobs whose functions were killed, and those that wait no longer."""
    start()
    start("acc_y", waits=True)
    latchkey.clock.forward(after_s)
    assert run.restart_overdue() == restarted
    assert {(each.version, each.waits) for each in stored_jobs()} >= ({(2, None)} if restarted else {(1, True)})
    assert run.restart_overdue() == 0


def test_restart_is_one_bounded_query(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run restarts a limited number of jobs, those due the longest, and finds them by a query of the index."""
    monkeypatch.setattr(run, "RESTARTS_MAX", 2)
    for subject in ("acc_c", "acc_a", "acc_b"):
        start(subject)
        latchkey.clock.forward(1)
    latchkey.clock.forward(60)
    with record_calls() as calls:
        assert run.restart_overdue() == 2
    assert [operation for operation, _ in calls] == ["Query", "UpdateItem", "UpdateItem"]
    assert (calls[0][1]["IndexName"], calls[0][1]["Limit"]) == ("by_due", 2)
    assert {each.subject for each in stored_jobs() if each.version == 2} == {"acc_c", "acc_a"}


def test_functions_pass_on_records_and_restarts(latchkey: TestApp) -> None:
    """The function `job` works on new and changed items, and the function `minute` restarts jobs."""
    job = start()
    for event, version in (("REMOVE", 1), ("MODIFY", 2)):
        background.job({"Records": [job_record(event, job)]}, None)
        (stored,) = stored_jobs()
        assert stored.version == version
    latchkey.clock.forward(60)
    background.every_minute()
    (stored,) = stored_jobs()
    assert stored.version == 3


def test_batches_are_repeated_until_the_time_is_up(latchkey: TestApp) -> None:
    """Batches run at least once, until nothing remains or the time is up."""
    seen: list[str] = []

    def batch(job: Job) -> bool:
        seen.append(job.id)
        latchkey.clock.forward(1)
        return len(seen) == 6

    work = run.in_batches(batch)
    job = start()
    assert (work(job, clock.now_ms()), len(seen)) == (False, 1)
    assert (work(job, clock.now_ms() + 3_000), len(seen)) == (False, 4)
    assert (work(job, clock.now_ms() + 3_000), len(seen)) == (True, 6)
