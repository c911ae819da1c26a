"""Settings > Your accounts: a member leaves a suspended account, whose other pages are closed to its members."""

from chalicelib.accounts import change
from chalicelib.accounts.states import ACTIVE, SUSPENDED
from chalicelib.accounts.tables import User
from chalicelib.credentials.find import owned_key
from tests.support.console_client import PASSWORD, log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp

ACCOUNTS, PROFILE = "/settings/accounts", "/settings/profile"


def set_status(account: AccountOfTest, status: str) -> None:
    change.set_tier_and_status(account.id, tier=None, status=status, actor="operator")


def leave_path(account: AccountOfTest) -> str:
    return f"{ACCOUNTS}/leave?leave={account.id}"


def test_member_leaves_a_suspended_account_and_deletes_their_user(latchkey: TestApp) -> None:
    """A member leaves a suspended account after a confirmation, which revokes their keys, and can delete their user."""
    owner = new_account()
    member = latchkey.member(owner, "developer")
    member.user.update(actions=[User.password_hash.set(owner.user.password_hash)])
    issued, kept = latchkey.key(member), latchkey.key(owner)
    set_status(owner, SUSPENDED)
    console = log_in_as(latchkey, member)
    assert leave_path(owner) in console.open(ACCOUNTS).urls
    assert f"Leave {owner.name}?" in console.open(leave_path(owner)).text
    page = console.submit(f"{ACCOUNTS}/leave", on=leave_path(owner))
    assert page.location == f"{ACCOUNTS}?done=left"
    assert owner.id not in console.follow(page).text
    assert [owned_key(owner.id, each.key.id).state for each in (issued, kept)] == ["revoked", "live"]
    console.submit("/settings/account/delete", on="/settings/account", password=PASSWORD)
    assert console.submit(f"{PROFILE}/delete", on=PROFILE, password=PASSWORD).location == "/login?done=user-deleted"


def test_one_of_two_owners_leaves_a_suspended_account_but_not_the_last(latchkey: TestApp) -> None:
    """The last owner of a suspended account is referred to the operator."""
    owner = new_account()
    second = latchkey.member(owner, "admin")
    console, last = log_in_as(latchkey, owner), log_in_as(latchkey, second)
    console.submit(f"/settings/members/{second.user_id}/role", on=f"/settings/members/{second.user_id}", role="owner")
    set_status(owner, SUSPENDED)
    assert console.submit(f"{ACCOUNTS}/leave", on=leave_path(owner)).location == f"{ACCOUNTS}?done=left"
    shown = last.open(ACCOUNTS)
    assert leave_path(owner) not in shown.urls
    assert "To delete it, ask the operator." in shown.text
    page = last.send(f"{ACCOUNTS}/leave", {**last.token_fields(), "leave": owner.id})
    assert (page.status, "Ask the operator of this API" in page.text) == (409, True)
    assert owner.id in User.get(second.user_id).account_ids


def test_active_account_is_left_on_its_members_page(latchkey: TestApp) -> None:
    """The form is for suspended accounts of the user: another one isn't found, and an active one isn't left."""
    owner = new_account()
    member, other = latchkey.member(owner, "viewer"), new_account()
    console = log_in_as(latchkey, member)
    set_status(other, SUSPENDED)
    assert console.open(leave_path(other)).status == 404
    assert leave_path(owner) not in console.open(ACCOUNTS).urls
    set_status(owner, SUSPENDED)
    form = console.fill(console.open(leave_path(owner)), f"{ACCOUNTS}/leave", {})
    set_status(owner, ACTIVE)
    assert console.send(f"{ACCOUNTS}/leave", form).status == 409
    assert owner.id in User.get(member.user_id).account_ids
