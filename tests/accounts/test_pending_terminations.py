"""Pending terminations: their identity, progress, deletion and restart."""

import pytest

from chalicelib.accounts import pending_terminations
from chalicelib.accounts.pending_terminations import OF_PROOF, PendingTermination
from chalicelib.core import clock
from tests.support.harness import TestApp
from tests.support.interleaving import record_calls


def start() -> PendingTermination:
    """Store a termination that starts now, and return it."""
    pending = pending_terminations.new(OF_PROOF, "acc_x")
    pending.save()
    return pending


def test_termination_is_identified_by_kind_and_subject(latchkey: TestApp) -> None:
    """A termination is identified by kind and subject; starting it again replaces the earlier one."""
    start()
    (stored,) = pending_terminations.all_pending()
    assert (stored.what, stored.at, stored.kind, stored.subject) == (*("unfinished", "proof#acc_x", "proof", "acc_x"),)
    assert [stored.began_at, stored.step, stored.after, stored.chosen] == [clock.now_ms(), None, None, None]
    start()
    assert len(list(pending_terminations.all_pending())) == 1


def test_selections_are_identified_by_their_link(latchkey: TestApp) -> None:
    """A termination of selected items is identified by the link that was used, so an account can have several."""
    for by in ("a", "b"):
        pending_terminations.new_choice(OF_PROOF, "acc_x", {"key_1", "key_2"}, by=by).save()
    start()
    chosen = {each.at: each.chosen for each in pending_terminations.all_pending()}
    assert chosen == {
        "proof#acc_x": None,
        "proof#acc_x#a": {"key_1", "key_2"},
        "proof#acc_x#b": {"key_1", "key_2"},
    }
    assert {each.began_at for each in pending_terminations.all_pending()} == {clock.now_ms()}


@pytest.mark.parametrize(("after_s", "is_first"), [(0, True), (7.999, True), (8, False)])
def test_first_run_is_within_the_clock_skew(latchkey: TestApp, after_s: float, is_first: bool) -> None:
    """Only a run within 8 seconds of the start counts as the first, because a later one might delete the user's new
    items.
    """
    pending = start()
    latchkey.clock.forward(after_s)
    assert pending_terminations.is_first_run(pending) is is_first
    assert pending_terminations.is_first_run(pending) is False


@pytest.mark.parametrize(
    ("after_s", "is_finished", "is_kept"), [(59.999, True, True), (60, True, False), (60, False, True)]
)
def test_finished_termination_is_kept_for_a_minute(
    latchkey: TestApp, after_s: float, is_finished: bool, is_kept: bool
) -> None:
    """A finished termination is kept for a minute, so that a later run finds items that an index lacked at first."""
    pending = start()
    latchkey.clock.forward(after_s)
    pending_terminations.save_progress(pending, is_finished=is_finished)
    assert bool(list(pending_terminations.all_pending())) is is_kept


def test_progress_is_saved(latchkey: TestApp) -> None:
    """The step of a termination and its position within the step are saved."""
    pending = start()
    for step, after in (("keys", "key_5"), ("keys", None), (None, "key_5"), ("keys", "key_5"), (None, None)):
        pending.step, pending.after = step, after
        pending_terminations.save_progress(pending, is_finished=False)
        (stored,) = pending_terminations.all_pending()
        assert (stored.step, stored.after, stored.kind) == (step, after, "proof")


@pytest.mark.parametrize("is_finished", [True, False])
def test_restarted_termination_is_unchanged_by_a_slice_of_the_old_one(latchkey: TestApp, is_finished: bool) -> None:
    """A run for an earlier start doesn't change a termination that has been restarted."""
    old = start()
    latchkey.clock.forward(60)
    start()
    old.step = "keys"
    pending_terminations.save_progress(old, is_finished=is_finished)
    (stored,) = pending_terminations.all_pending()
    assert [stored.began_at, stored.step] == [clock.now_ms(), None]


def test_termination_that_another_function_deleted_is_not_recreated(latchkey: TestApp) -> None:
    """Saving a termination that another function deleted doesn't recreate it."""
    pending = start()
    latchkey.clock.forward(60)
    pending_terminations.save_progress(pending, is_finished=True)
    pending.step = "keys"
    pending_terminations.save_progress(pending, is_finished=False)
    pending_terminations.save_progress(pending, is_finished=True)
    assert list(pending_terminations.all_pending()) == []


def test_pending_terminations_are_read_consistently(latchkey: TestApp) -> None:
    """Pending terminations are read consistently, so that a termination stored just before is included."""
    start()
    with record_calls() as calls:
        list(pending_terminations.all_pending())
    assert [request["ConsistentRead"] for _, request in calls] == [True]
