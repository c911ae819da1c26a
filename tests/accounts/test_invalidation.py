"""Invalidation marks of accounts and users: which counter items they are set on, and what happens when one is lost."""

import io
import json

import pytest

from chalicelib.accounts import change, invalidation, roles
from chalicelib.accounts.tables import User
from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.limits import stale_marks
from chalicelib.limits.tiers import ENTERPRISE, FREE, OF_ACCOUNTS, PRO, Tier
from tests.support.harness import TestApp
from tests.support.interleaving import fail_calls, fail_marks


def marked_tiers(account_id: str) -> list[Tier]:
    """Return the tiers of which an account has a mark of now."""
    return [tier for tier in OF_ACCOUNTS if stale_marks.is_marked(account_id, [tier], clock.now_ms())]


def test_mark_is_set_on_the_items_of_the_present_tier(latchkey: TestApp) -> None:
    """An account's change writes the two items of its tier: those of this and of the next hour."""
    latchkey.clock.forward(1_800)
    account = latchkey.account(PRO)
    with telemetry.record_calls() as calls:
        assert invalidation.mark_account(account.id)
    assert [operation for operation, _ in calls.made] == ["GetItem", "UpdateItem", "UpdateItem"]
    assert marked_tiers(account.id) == [PRO]
    assert invalidation.is_marked(account.id, clock.now_ms())


@pytest.mark.parametrize(("later_s", "tiers"), [(0, OF_ACCOUNTS), (599.999, OF_ACCOUNTS), (600, (ENTERPRISE,))])
def test_mark_is_set_on_the_items_of_every_tier_for_ten_minutes_after_a_change_of_tier(
    latchkey: TestApp, later_s: float, tiers: tuple[Tier, ...]
) -> None:
    """For ten minutes after a change of tier, cached policies may have other tiers, so the items of all are marked."""
    account = latchkey.account(FREE)
    change.set_tier_and_status(account.id, tier=ENTERPRISE, status=None, actor="operator")
    latchkey.clock.forward(later_s)
    assert invalidation.mark_account(account.id)
    assert marked_tiers(account.id) == list(tiers)


def test_change_of_tier_marks_the_former_tier(latchkey: TestApp) -> None:
    """The change of tier itself marks the items of the former tier, under which policies are cached."""
    account = latchkey.account(FREE)
    latchkey.clock.forward(1)
    change.set_tier_and_status(account.id, tier=PRO, status=None, actor="operator")
    assert marked_tiers(account.id) == list(OF_ACCOUNTS)


def test_change_of_status_marks_the_present_tier_only(latchkey: TestApp) -> None:
    """A suspension leaves the items of tiers that the account never had."""
    account = latchkey.account(FREE)
    latchkey.clock.forward(1)
    change.set_tier_and_status(account.id, tier=None, status="suspended", actor="operator")
    assert marked_tiers(account.id) == [FREE]


@pytest.mark.parametrize("by", ["missing", "failing"])
def test_mark_of_an_account_that_cannot_be_read_is_set_for_every_tier(latchkey: TestApp, by: str) -> None:
    """If the account is missing or can't be read, its tier is unknown, so the items of every tier are marked."""
    account = latchkey.account(PRO)
    if by == "missing":
        account.account.delete()
        assert invalidation.mark_account(account.id)
    else:
        with fail_calls("GetItem", "accounts"):
            assert invalidation.mark_account(account.id)
    assert marked_tiers(account.id) == list(OF_ACCOUNTS)


def test_change_of_a_user_marks_all_of_their_accounts(latchkey: TestApp) -> None:
    """A mark of a user is set on each of their accounts with its own tier, and on no other account."""
    owner, other = latchkey.account(PRO), latchkey.account()
    member = latchkey.member(owner, roles.VIEWER)
    latchkey.clock.forward(1)
    assert invalidation.mark_user(member.user_id)
    (own,) = (User.get(member.user_id).account_ids or set()) - {owner.id}
    assert [marked_tiers(each) for each in (owner.id, own, other.id)] == [[PRO], [FREE], []]
    assert invalidation.is_marked(member.user_id, clock.now_ms())
    assert not invalidation.is_marked(owner.user_id, clock.now_ms() + 1)


def test_user_is_marked_only_if_all_of_their_accounts_are(latchkey: TestApp) -> None:
    """If one account of a user lacks its mark, the user's change counts as not marked."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.VIEWER)
    latchkey.clock.forward(1)
    assert invalidation.mark(owner.id)
    assert not invalidation.is_marked(member.user_id, clock.now_ms())
    assert invalidation.mark(member.user_id)
    assert invalidation.is_marked(member.user_id, clock.now_ms())


def test_unknown_user_has_nothing_to_mark(latchkey: TestApp) -> None:
    """A user without accounts, or who doesn't exist, has no cached authorization."""
    assert invalidation.mark("usr_00000000000000000000")
    assert invalidation.is_marked("usr_00000000000000000000", clock.now_ms())


def test_lost_mark_of_one_account_leaves_no_other_unmarked(latchkey: TestApp) -> None:
    """If the mark of one account of a user can't be set, the other accounts are marked all the same."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.VIEWER)
    latchkey.clock.forward(1)
    first, second = sorted(User.get(member.user_id).account_ids or ())
    send = dynamodb.sender()

    def losing(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if operation == "UpdateItem" and first in str(request["Key"]):
            raise DynamoDBError("AccessDeniedException", "not today", {})
        return send(operation, request)

    with dynamodb.use_sender(losing):
        assert not invalidation.mark_user(member.user_id)
    assert (marked_tiers(first), marked_tiers(second)) == ([], [FREE])


@pytest.mark.parametrize("what", ["marks", "user"])
def test_lost_mark_of_a_user_is_reported(latchkey: TestApp, what: str) -> None:
    """A mark of a user that can't be set is an error for the caller, and is logged and counted."""
    account = latchkey.account()
    log = io.StringIO()
    telemetry.write_to(log)
    with fail_marks() if what == "marks" else fail_calls("GetItem", "users"):
        assert not invalidation.mark_user(account.user_id)
    telemetry.write_to(None)
    logged, counted = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (logged["level"], logged["message"]) == ("ERROR", "stale_mark_lost")
    assert logged["subject"] == (account.id if what == "marks" else account.user_id)
    assert counted["StaleMarkLost"] == 1
