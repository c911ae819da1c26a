"""A new account inherits the hour's used quota from a deleted account of the same address."""

from collections.abc import Callable

import pytest

from chalicelib.accounts import create, members, quota_inheritance, self_service, sessions
from chalicelib.accounts.tables import Account, OneTimeToken, User
from chalicelib.core import clock, errors, telemetry
from chalicelib.limits import tiers
from tests.support.console_client import CALLER, PASSWORD, new_account
from tests.support.harness import START_MS, AccountOfTest, TestApp
from tests.support.interleaving import run_before

EMAIL = "ada@example.com"


def delete_after_use(latchkey: TestApp, used: int = 7, *, tier: tiers.Tier = tiers.FREE) -> AccountOfTest:
    """Create an account, use part of its hourly quota, delete it and its owner, and return it."""
    account = new_account(email=EMAIL, tier=tier)
    latchkey.set_counters(account.id, tier, used=used)
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    console = sessions.session_of(sessions.open_session(account.user))
    assert console is not None
    self_service.delete_user(console, caller=CALLER, password=PASSWORD)
    return account


def used_by(latchkey: TestApp, account: AccountOfTest) -> int:
    """Return the number of requests that an account has used in this hour."""
    return latchkey.counters(account.id).get("used", 0)


def test_next_account_of_the_address_inherits_the_used_quota(latchkey: TestApp) -> None:
    """Within the hour, a new account inherits the usage of a deleted one with the same address and any tier."""
    delete_after_use(latchkey, 7, tier=tiers.PRO)
    assert used_by(latchkey, new_account(email="ADA@example.com")) == 7
    assert used_by(latchkey, new_account(email="eve@example.com")) == 0


def test_deletion_stores_one_item_until_the_hour_ends(latchkey: TestApp) -> None:
    """A deletion stores one item with the account's id and a hash of the address until the hour ends."""
    latchkey.clock.forward(1_801)
    account = delete_after_use(latchkey)
    (item,) = [each for each in OneTimeToken.scan() if each.kind == "left"]
    ends_s = START_MS // 1000 + 3_600
    assert (item.account_id, item.expires_at, item.dies_at) == (account.id, ends_s * 1000, ends_s)
    assert {item.email, item.name, item.purpose} == {None}


@pytest.mark.parametrize(("after_s", "looks_further"), [(3_599.999, True), (3_600, False)])
def test_nothing_is_inherited_in_the_next_hour(latchkey: TestApp, after_s: float, looks_further: bool) -> None:
    """In the next hour a new account inherits nothing, after a single read."""
    delete_after_use(latchkey)
    latchkey.clock.forward(after_s)
    new = create.new_membership(create.new_user(email=EMAIL, name="Ada"), "Ada", tiers.FREE)
    with telemetry.record_calls() as calls:
        quota_inheritance.inherit(new)
    assert (len(calls.made) > 1) is looks_further
    create.store(new)
    assert used_by(latchkey, AccountOfTest(new)) == (7 if looks_further else 0)


def test_further_account_of_the_user_inherits_the_used_quota(latchkey: TestApp) -> None:
    """A user who deletes an account and creates another one doesn't reset the quota, although they stay the same
    user.
    """
    account = new_account(email=EMAIL)
    latchkey.set_counters(account.id, tiers.FREE, used=7)
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    user = User.get(account.user_id)
    again = create.create_further_account(user, name="Again", tier=tiers.FREE)
    assert used_by(latchkey, AccountOfTest(again)) == 7


@pytest.mark.parametrize(("used", "used_later", "inherited"), [(7, 0, 7), (7, 9, 9), (7, 7, 7)])
def test_deleting_a_less_used_account_too_doesnt_reset_the_quota(
    latchkey: TestApp, used: int, used_later: int, inherited: int
) -> None:
    """Of several accounts that a user deletes in an hour, the next one inherits the highest usage."""
    account = new_account(email=EMAIL)
    spare = AccountOfTest(create.create_further_account(account.user, name="Spare", tier=tiers.FREE))
    latchkey.set_counters(account.id, tiers.FREE, used=used)
    latchkey.set_counters(spare.id, tiers.FREE, used=used_later)
    for each in (account, spare):
        self_service.delete_account(members.find(User.get(account.user_id), each.id), caller=CALLER, password=PASSWORD)
    again = create.create_further_account(User.get(account.user_id), name="Again", tier=tiers.FREE)
    assert used_by(latchkey, AccountOfTest(again)) == inherited


def test_usage_of_an_earlier_hour_is_not_kept(latchkey: TestApp) -> None:
    """The first deletion of an hour replaces the item of an earlier hour, which DynamoDB may not have deleted yet."""
    account = new_account(email=EMAIL)
    spare = AccountOfTest(create.create_further_account(account.user, name="Spare", tier=tiers.FREE))
    latchkey.set_counters(account.id, tiers.FREE, used=7)
    self_service.delete_account(account.reload().membership, caller=CALLER, password=PASSWORD)
    latchkey.clock.forward(3_600)
    self_service.delete_account(spare.reload().membership, caller=CALLER, password=PASSWORD)
    (item,) = [each for each in OneTimeToken.scan() if each.kind == "left"]
    assert item.account_id == spare.id


@pytest.mark.parametrize("earlier", ["nobody", "somebody"])
def test_deletion_conflicts_with_a_concurrent_deletion_of_the_same_user(latchkey: TestApp, earlier: str) -> None:
    """Otherwise the item of the account with the higher usage could be overwritten."""
    if earlier == "somebody":
        delete_after_use(latchkey)
    account = new_account(email=EMAIL)
    with (
        run_before("TransactWriteItems", lambda: store_deletion("acc_other")),
        pytest.raises(errors.Conflict, match="changed in the meantime"),
    ):
        self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    assert Account.get(account.id).listed
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    assert Account.get(account.id).listed is None


def store_deletion(account_id: str) -> None:
    """Store the item that the deletion of an account with this email address stores."""
    at_s = clock.now_s()
    OneTimeToken(
        quota_inheritance._digest(EMAIL),
        kind="left",
        account_id=account_id,
        expires_at=(at_s + 9) * 1000,
        dies_at=at_s + 9,
    ).save()


@pytest.mark.parametrize("earlier", ["nobody", "somebody"])
def test_account_deleted_concurrently_is_taken_into_account(latchkey: TestApp, earlier: str) -> None:
    """A new account inherits the usage of another account of its address that is deleted during the sign-up."""
    if earlier == "somebody":
        delete_after_use(latchkey)
    latchkey.set_counters("acc_other", tiers.FREE, used=9)
    with run_before("TransactWriteItems", lambda: store_deletion("acc_other")):
        account = new_account(email=EMAIL)
    assert used_by(latchkey, account) == 9
    assert [each.id for each in Account.scan() if each.listed] == [account.id]


def delete_next_account() -> Callable[[], None]:
    """Return a function that deletes another account of the address at each call."""
    number = iter(range(99))
    return lambda: store_deletion(f"acc_{next(number)}")


@pytest.mark.parametrize(("times", "is_made"), [(2, True), (3, False)])
def test_sign_up_is_retried_three_times_if_accounts_of_its_address_are_deleted(
    latchkey: TestApp, times: int, is_made: bool
) -> None:
    """If accounts of the address are deleted during each of three attempts, the sign-up raises Unavailable."""
    with run_before("TransactWriteItems", delete_next_account(), times=times):
        if is_made:
            new_account(email=EMAIL)
        else:
            with pytest.raises(errors.Unavailable):
                new_account(email=EMAIL)
    assert Account.count() == int(is_made)
