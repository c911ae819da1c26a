"""Settings > Members, and the page of an invitation, in the console of several users."""

import re

import pytest

from chalicelib.accounts import members, roles
from chalicelib.accounts.tables import User
from chalicelib.credentials.find import keys_of
from tests.support.console_client import PASSWORD, ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp

ADDRESS = "grace@example.com"
MEMBERS = "/settings/members"


def link_in(page: Page) -> str:
    found = re.search(r"/invitation\?ticket=\w+", page.html)
    assert found, page.text
    return found[0]


def invite(console: ConsoleClient, email: str = ADDRESS, role: str = roles.DEVELOPER) -> str:
    return link_in(console.submit(f"{MEMBERS}/invite", on=MEMBERS, email=email, role=role))


def accounts_of(user_id: str) -> set[str]:
    return {each.account.id for each in members.all_of(User.get(user_id))}


def test_a_new_user_joins_chooses_a_password_and_logs_in(latchkey: TestApp) -> None:
    owner = new_account(name="Ada Ltd")
    link = invite(log_in_as(latchkey, owner))
    grace = ConsoleClient(latchkey)
    page = grace.submit("/invitation", on=link, name="Grace", password=PASSWORD)
    assert (page.status, page.location) == (303, "/login?done=joined-as-new-user")
    assert grace.open("/settings/usage").status == 303, "an invitation never logs anybody in"
    grace.log_in(ADDRESS, PASSWORD)
    assert "Ada Ltd" in grace.open("/settings/usage").text
    assert grace.open(link).status == 410


def test_a_user_logs_in_and_joins(latchkey: TestApp) -> None:
    owner, grace = new_account(), new_account(name="Grace", email=ADDRESS)
    link = invite(log_in_as(latchkey, owner))
    stranger = ConsoleClient(latchkey)
    page = stranger.open(link)
    assert "Log in to accept the invitation." in page.text
    (log_in,) = [url for url in page.urls if "/login?next=" in url]
    stranger.open(log_in)
    console = log_in_as(latchkey, grace)
    assert console.submit("/invitation", on=link).location == "/settings/accounts?done=joined"
    assert accounts_of(grace.user_id) == {owner.id, grace.id}


def test_opening_the_link_accepts_nothing(latchkey: TestApp) -> None:
    owner, grace = new_account(), new_account(name="Grace", email=ADDRESS)
    link = invite(log_in_as(latchkey, owner))
    for _ in range(3):
        assert log_in_as(latchkey, grace).open(link).status == 200
    assert accounts_of(grace.user_id) == {grace.id}


def test_another_user_who_is_logged_in_cant_accept(latchkey: TestApp) -> None:
    owner, eve = new_account(), new_account(name="Eve")
    link = invite(log_in_as(latchkey, owner))
    console = log_in_as(latchkey, eve)
    page = console.open(link)
    assert "You are logged in as" in page.text
    csrf = console.open("/settings/profile").value("/settings/profile/name", "csrf")
    sent = console.send("/invitation", {"csrf": csrf, "account": eve.id, "ticket": link.partition("=")[2]})
    assert (sent.status, accounts_of(eve.user_id)) == (409, {eve.id})


def test_a_new_user_s_weak_password_keeps_the_name(latchkey: TestApp) -> None:
    link = invite(log_in_as(latchkey, new_account()))
    grace = ConsoleClient(latchkey)
    page = grace.submit("/invitation", on=link, name="Grace", password="short")
    assert page.status == 400
    assert page.value("/invitation", "name") == "Grace"
    assert grace.submit("/invitation", on=link, name="Grace", password=PASSWORD).status == 303


def test_an_invitation_is_sent_again_and_withdrawn(latchkey: TestApp) -> None:
    console = log_in_as(latchkey, new_account())
    first = invite(console)
    page = console.open(MEMBERS)
    (resend,) = set(re.findall(rf"{MEMBERS}/invitations/inv_\w+/resend", page.html))
    second = link_in(console.submit(resend, on=MEMBERS))
    assert (ConsoleClient(latchkey).open(first).status, ConsoleClient(latchkey).open(second).status) == (410, 200)
    withdraw = resend.replace("resend", "withdraw")
    assert console.submit(withdraw, on=withdraw).location == f"{MEMBERS}?done=invitation-withdrawn"
    assert ConsoleClient(latchkey).open(second).status == 410


def test_a_rejected_invitation_keeps_what_was_typed(latchkey: TestApp) -> None:
    console = log_in_as(latchkey, new_account())
    page = console.submit(f"{MEMBERS}/invite", on=MEMBERS, email="rubbish", role="admin")
    assert (page.status, page.value(f"{MEMBERS}/invite", "email")) == (400, "rubbish")


def test_a_role_is_changed_and_a_member_removed(latchkey: TestApp) -> None:
    owner = new_account()
    grace = latchkey.member(owner, roles.VIEWER)
    console = log_in_as(latchkey, owner)
    path = f"{MEMBERS}/{grace.user_id}"
    assert console.submit(f"{path}/role", on=path, role="developer").location == f"{MEMBERS}?done=role-changed"
    latchkey.key(AccountOfTest(members.find(User.get(grace.user_id), owner.id)))
    assert console.submit(f"{path}/remove", on=path, keys="move").location == f"{MEMBERS}?done=member-removed"
    assert accounts_of(grace.user_id) == {grace.user_id} - {grace.user_id} | accounts_of(grace.user_id) - {owner.id}
    assert [key.user_id for key in keys_of(owner.id)] == [roles.service_user_of(owner.id)]
    assert "of the account" in console.open("/settings/keys").text


def test_an_account_is_transferred(latchkey: TestApp) -> None:
    owner = new_account(name="Ada Ltd")
    grace = latchkey.member(owner, roles.VIEWER)
    console, path = log_in_as(latchkey, owner), f"{MEMBERS}/{grace.user_id}"
    assert f"{path}/transfer" in console.open(path).urls
    assert "Transfer Ada Ltd to Grace?" in console.open(f"{path}/transfer").text
    assert console.submit(f"{path}/transfer").location == f"{MEMBERS}?done=transferred"
    roles_now = {each.user.id: each.role for each in members.read_page(owner.account, 9)[0]}
    assert roles_now == {owner.user_id: roles.ADMIN, grace.user_id: roles.OWNER}
    assert f"{path}/transfer" not in console.open(path).urls


def test_a_member_leaves(latchkey: TestApp) -> None:
    owner = new_account()
    grace = latchkey.member(owner, roles.VIEWER)
    console, path = log_in_as(latchkey, grace), f"{MEMBERS}/{grace.user_id}"
    assert console.submit(f"{path}/remove", on=path).location == "/settings/accounts?done=left"
    assert owner.id not in accounts_of(grace.user_id)


def test_the_last_owner_is_told_what_to_do(latchkey: TestApp) -> None:
    owner = new_account()
    console, path = log_in_as(latchkey, owner), f"{MEMBERS}/{owner.user_id}"
    for form, chosen in ((f"{path}/remove", {"keys": "revoke"}), (f"{path}/role", {"role": "viewer"})):
        page = console.submit(form, on=path, **chosen)
        assert page.status == 409
        assert "Make another member an owner first" in page.text


@pytest.mark.parametrize("role", roles.ALL)
def test_the_page_offers_only_what_the_role_may_do(latchkey: TestApp, role: str) -> None:
    owner = new_account()
    member = owner if role == roles.OWNER else latchkey.member(owner, role)
    page = log_in_as(latchkey, member).open(MEMBERS)
    manages = role in (roles.OWNER, roles.ADMIN)
    assert ("Invite someone" in page.text) is manages
    assert ('value="owner"' in page.html) is (role == roles.OWNER)
    assert ('href="/settings/webhooks"' in page.html) is manages


def test_a_developer_sees_all_keys_and_manages_their_own(latchkey: TestApp) -> None:
    owner = new_account()
    developer = latchkey.member(owner, roles.DEVELOPER)
    own, other = latchkey.key(developer).key.id, latchkey.key(owner).key.id
    console = log_in_as(latchkey, developer)
    assert {own, other} <= set(re.findall(r"key_\w{20}", console.open("/settings/keys").html))
    assert "Revoke…" in console.open(f"/settings/keys/{own}").text
    page = console.open(f"/settings/keys/{other}")
    assert ("Revoke…" in page.text, "Ada" in page.text) == (False, True)
    form = {"csrf": page.value("/logout", "csrf"), "account": owner.id}
    assert console.send(f"/settings/keys/{other}/revoke", form).status == 403


@pytest.mark.parametrize("role", [roles.OWNER, roles.DEVELOPER])
def test_the_removal_says_that_webhooks_and_applications_stay(latchkey: TestApp, role: str) -> None:
    """Their secrets may be known to the member, so the page links to them for those who can manage them."""
    owner = new_account()
    member = latchkey.member(owner, roles.DEVELOPER)
    page = log_in_as(latchkey, owner if role == roles.OWNER else member).open(f"{MEMBERS}/{member.user_id}")
    creator = "Grace" if role == roles.OWNER else "you"
    assert f"Webhooks and applications that {creator} created stay with the account" in page.text
    (_, text) = page.html.split('<section class="card danger">')
    linked = ["/settings/webhooks" in text, "/settings/applications" in text]
    assert linked == [role == roles.OWNER] * 2
