"""The item of a job: its identity, progress, deletion and restart, and the losers of concurrent writes."""

from typing import Any

import pytest

from chalicelib.core import clock
from chalicelib.jobs import progress
from chalicelib.jobs.progress import OF_PROOF
from chalicelib.jobs.tables import Job
from tests.support.harness import TestApp
from tests.support.job_runs import stored_jobs

MINUTE_MS = 60_000


def start() -> Job:
    """Store a job that starts now, and return it."""
    job = progress.new(OF_PROOF, "acc_x")
    job.save()
    return job


def values(job: Job) -> list[Any]:
    """Return the attributes of a job that a write may change."""
    return [job.began_at, job.version, job.waits, job.due_at, job.step, job.after]


def test_job_is_identified_by_kind_and_subject(latchkey: TestApp) -> None:
    """A job is identified by kind and subject; storing it again replaces the earlier one."""
    start()
    (stored,) = stored_jobs()
    assert (stored.id, stored.queue, stored.kind, stored.subject) == ("proof#acc_x", "jobs", "proof", "acc_x")
    now_ms = clock.now_ms()
    assert values(stored) == [now_ms, 1, None, now_ms + MINUTE_MS, None, None]
    assert stored.chosen is None
    start()
    assert len(stored_jobs()) == 1


def test_selections_are_identified_by_their_link(latchkey: TestApp) -> None:
    """A job for selected items is identified by the link that was used, so an account can have several. It waits for
    the request's first batch.
    """
    for by in ("a", "b"):
        progress.new_choice(OF_PROOF, "acc_x", {"key_1", "key_2"}, by=by).save()
    start()
    assert {each.id: (each.chosen, each.waits) for each in stored_jobs()} == {
        "proof#acc_x": (None, None),
        "proof#acc_x#a": ({"key_1", "key_2"}, True),
        "proof#acc_x#b": ({"key_1", "key_2"}, True),
    }
    assert progress.new(OF_PROOF, "acc_x", waits=True).waits is True


@pytest.mark.parametrize(("after_s", "is_first"), [(0, True), (7.999, True), (8, False)])
def test_first_run_is_within_the_clock_skew(latchkey: TestApp, after_s: float, is_first: bool) -> None:
    """Only a run within 8 seconds of the start counts as the first, because a later one might delete the user's new
    items.
    """
    job = start()
    latchkey.clock.forward(after_s)
    assert progress.is_first_run(job) is is_first
    assert progress.is_first_run(job) is False


@pytest.mark.parametrize(
    ("after_s", "is_finished", "is_kept"), [(59.999, True, True), (60, True, False), (60, False, True)]
)
def test_finished_job_is_kept_for_a_minute(latchkey: TestApp, after_s: float, is_finished: bool, is_kept: bool) -> None:
    """A finished job is kept for a minute, so that a later run finds items that an index lacked at first."""
    job = start()
    latchkey.clock.forward(after_s)
    progress.save(job, is_finished=is_finished)
    assert bool(stored_jobs()) is is_kept


def test_progress_is_saved(latchkey: TestApp) -> None:
    """The step of a job and its position within the step are saved, with the next version."""
    start()
    for version, (step, after) in enumerate((("keys", "key_5"), ("keys", None), (None, "key_5"), (None, None)), 2):
        latchkey.clock.forward(1)
        (job,) = stored_jobs()
        job.step, job.after = step, after
        progress.save(job, is_finished=False)
        (stored,) = stored_jobs()
        assert values(stored) == [job.began_at, version, None, clock.now_ms() + MINUTE_MS, step, after]
        assert stored.kind == "proof"


def test_job_that_is_finished_too_early_waits_until_it_is_settled(latchkey: TestApp) -> None:
    """A job that is finished at once is due a minute after its start; a stuck one a minute after its last slice."""
    job = start()
    latchkey.clock.forward(9)
    progress.save(job, is_finished=True)
    (early,) = stored_jobs()
    assert (early.waits, early.due_at) == (True, job.began_at + MINUTE_MS)
    progress.save(early, is_finished=False, is_stuck=True)
    (stuck,) = stored_jobs()
    assert (stuck.waits, stuck.due_at) == (True, clock.now_ms() + MINUTE_MS)
    progress.restart(stuck)
    (again,) = stored_jobs()
    assert values(again)[1:4] == [4, None, clock.now_ms() + MINUTE_MS]


@pytest.mark.parametrize("loser", ["unfinished", "finished", "restart"])
@pytest.mark.parametrize("winner", ["progress", "restarted", "deleted"])
def test_only_one_of_two_functions_saves(latchkey: TestApp, winner: str, loser: str) -> None:
    """A function that read a job before another function saved it, restarted it or deleted it changes nothing."""
    job = start()
    latchkey.clock.forward(60)
    if winner == "restarted":
        start()
    else:
        (read,) = stored_jobs()
        read.step = "consents"
        progress.save(read, is_finished=winner == "deleted")
    before = [values(each) for each in stored_jobs()]
    job.step = "keys"
    if loser == "restart":
        progress.restart(job)
    else:
        progress.save(job, is_finished=loser == "finished")
    assert [values(each) for each in stored_jobs()] == before


def test_job_is_repeated_if_its_pass_began_before_it_was_settled(latchkey: TestApp) -> None:
    """A pass that takes longer than a minute is followed by another from the start, and only that one is the last."""
    job = start()
    assert progress.begin_pass(job) is False
    job.step = "keys"
    progress.save(job, is_finished=False)
    latchkey.clock.forward(60)
    (slow,) = stored_jobs()
    assert progress.begin_pass(slow) is False
    slow.step = None
    progress.save(slow, is_finished=True)
    (again,) = stored_jobs()
    assert progress.begin_pass(again) is True
    progress.save(again, is_finished=True)
    assert stored_jobs() == []
