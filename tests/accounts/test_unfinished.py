"""Endings that weren't finished in their request: what is kept of each, for how long, and what begins anew."""

import pytest

from chalicelib.accounts import unfinished
from chalicelib.accounts.unfinished import OF_PROOF, Unfinished
from chalicelib.core import clock
from tests.support.harness import TestApp
from tests.support.interleaving import record_calls


def begun() -> Unfinished:
    """Return an ending that began at this moment, stored."""
    ending = unfinished.new(OF_PROOF, "acc_x")
    ending.save()
    return ending


def test_ending_is_known_by_its_kind_and_by_what_ends(latchkey: TestApp) -> None:
    """So one that is begun anew takes the place of the old one."""
    begun()
    (stored,) = unfinished.all_there_are()
    assert (stored.what, stored.at, stored.kind, stored.subject) == (*("unfinished", "proof#acc_x", "proof", "acc_x"),)
    assert [stored.began_at, stored.step, stored.after, stored.chosen] == [clock.now_ms(), None, None, None]
    begun()
    assert len(list(unfinished.all_there_are())) == 1


def test_choices_stand_beside_each_other_and_beside_the_whole(latchkey: TestApp) -> None:
    """Each under what it was chosen by, with what was chosen."""
    for by in ("a", "b"):
        unfinished.new_choice(OF_PROOF, "acc_x", {"key_1", "key_2"}, by=by).save()
    begun()
    chosen = {each.at: each.chosen for each in unfinished.all_there_are()}
    assert chosen == {
        "proof#acc_x": None,
        "proof#acc_x#a": {"key_1", "key_2"},
        "proof#acc_x#b": {"key_1", "key_2"},
    }
    assert {each.began_at for each in unfinished.all_there_are()} == {clock.now_ms()}


@pytest.mark.parametrize(("after_s", "is_first"), [(0, True), (7.999, True), (8, False)])
def test_first_look_is_one_within_the_clocks_skew(latchkey: TestApp, after_s: float, is_first: bool) -> None:
    """Eight seconds after it began what is newer was made by its owner; and there is one first look."""
    ending = begun()
    latchkey.clock.forward(after_s)
    assert unfinished.is_first_look(ending) is is_first
    assert unfinished.is_first_look(ending) is False


@pytest.mark.parametrize(
    ("after_s", "is_finished", "is_kept"), [(59.999, True, True), (60, True, False), (60, False, True)]
)
def test_finished_ending_is_kept_for_a_minute(
    latchkey: TestApp, after_s: float, is_finished: bool, is_kept: bool
) -> None:
    """What an index didn't show is found by another look within it; what isn't finished is kept however old it is."""
    ending = begun()
    latchkey.clock.forward(after_s)
    unfinished.settle(ending, is_finished=is_finished)
    assert bool(list(unfinished.all_there_are())) is is_kept


def test_how_far_an_ending_has_come_is_kept(latchkey: TestApp) -> None:
    """Both the step and where in it, until they are gone again."""
    ending = begun()
    for step, after in (("keys", "key_5"), ("keys", None), (None, "key_5"), ("keys", "key_5"), (None, None)):
        ending.step, ending.after = step, after
        unfinished.settle(ending, is_finished=False)
        (stored,) = unfinished.all_there_are()
        assert (stored.step, stored.after, stored.kind) == (step, after, "proof")


@pytest.mark.parametrize("is_finished", [True, False])
def test_ending_begun_anew_is_untouched_by_a_slice_of_the_old_one(latchkey: TestApp, is_finished: bool) -> None:
    """It begins from its own beginning."""
    old = begun()
    latchkey.clock.forward(60)
    begun()
    old.step = "keys"
    unfinished.settle(old, is_finished=is_finished)
    (stored,) = unfinished.all_there_are()
    assert [stored.began_at, stored.step] == [clock.now_ms(), None]


def test_ending_that_another_function_finished_does_not_come_back(latchkey: TestApp) -> None:
    """Neither as a whole nor as a stump."""
    ending = begun()
    latchkey.clock.forward(60)
    unfinished.settle(ending, is_finished=True)
    ending.step = "keys"
    unfinished.settle(ending, is_finished=False)
    unfinished.settle(ending, is_finished=True)
    assert list(unfinished.all_there_are()) == []


def test_what_is_unfinished_is_read_as_it_is_now(latchkey: TestApp) -> None:
    """One that began a moment ago isn't overlooked."""
    begun()
    with record_calls() as calls:
        list(unfinished.all_there_are())
    assert [request["ConsistentRead"] for _, request in calls] == [True]
