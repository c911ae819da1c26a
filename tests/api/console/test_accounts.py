"""The accounts of a user: open one, create one, and which account a page or form belongs to."""

import re

import pytest

from chalicelib.accounts import change, create, members
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.tables import Account, Member
from chalicelib.core import secrets, settings, telemetry
from chalicelib.core.dynamodb import models
from chalicelib.credentials import find
from chalicelib.events import kinds, record
from chalicelib.limits import tiers
from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp
from tests.support.mailbox import Mailbox

ACCOUNT, ACCOUNTS, PROFILE = "/settings/account", "/settings/accounts", "/settings/profile"


def second_account(of: AccountOfTest, name: str = "Second") -> AccountOfTest:
    """Create another account that the user owns."""
    created = create.create_further_account(of.reload().user, name=name, tier=tiers.FREE)
    return AccountOfTest(members.find(of.reload().user, created.account.id))


def opened(console: ConsoleClient) -> str:
    """Return the id of the account whose pages the browser shows."""
    return console.open(ACCOUNT).value(f"{ACCOUNT}/name", "account")


def open_in(console: ConsoleClient, account: AccountOfTest) -> None:
    """Open an account in this browser, as the button on Your accounts does."""
    page = console.send(f"{ACCOUNTS}/open", {**console.token_fields(ACCOUNTS), "open": account.id})
    assert page.location == "/settings"


def test_accounts_are_listed_with_roles_and_opened(latchkey: TestApp) -> None:
    """Your accounts lists each account with the user's role, and its button opens the account in this browser only."""
    ada = new_account()
    member = latchkey.member(new_account(name="Bea"), "viewer", name="Ada")
    second = second_account(ada)
    console, elsewhere = log_in_as(latchkey, ada), log_in_as(latchkey, ada)
    assert console.open(ACCOUNTS).rows[1:] == [
        [f"Ada {ada.id}", "Owner", "Current"],
        [f"Second {second.id}", "Owner", "Open"],
    ]
    open_in(console, second)
    assert (opened(console), opened(elsewhere)) == (second.id, ada.id)
    roles = {row[0]: row[1] for row in log_in_as(latchkey, member).open(ACCOUNTS).rows[1:]}
    assert roles[f"Bea {member.id}"] == "Viewer"


def test_first_page_depends_on_the_role(latchkey: TestApp) -> None:
    """Opening an account leads to the API keys, or for viewers to the usage."""
    bea = new_account(name="Bea")
    found = {
        role: log_in_as(latchkey, latchkey.member(bea, role)).open("/settings") for role in ("developer", "viewer")
    }
    assert {role: page.location for role, page in found.items()} == {
        "developer": "/settings/keys",
        "viewer": "/settings/usage",
    }


def test_error_page_leads_back_to_a_page_of_the_role(latchkey: TestApp) -> None:
    """The button of an error page leads to a page that the role may open, never to another error."""
    bea = new_account(name="Bea")
    for role, path in (("developer", "/settings/keys"), ("viewer", "/settings/usage")):
        console = log_in_as(latchkey, latchkey.member(bea, role))
        page = console.open("/settings/webhooks")
        assert (page.status, page.heading) == (403, "Access denied")
        assert re.findall(r'class="button quiet" href="(.*?)">Back to ', page.html) == [path]
        assert console.open(path).status == 200


def test_account_of_others_is_not_opened(latchkey: TestApp) -> None:
    """An account to which the user doesn't belong, or which doesn't exist, is not found, and nothing is opened."""
    ada, eve = new_account(), new_account(name="Eve")
    console = log_in_as(latchkey, ada)
    for account_id in (eve.id, "acc_00000000000000000000", "rubbish", ""):
        page = console.send(f"{ACCOUNTS}/open", {**console.token_fields(ACCOUNTS), "open": account_id})
        assert (page.status, eve.name in page.text) == (404, False)
        assert opened(console) == ada.id


def test_cookie_of_another_account_is_ignored(latchkey: TestApp) -> None:
    """A browser whose cookie names an account of others, or none that exists, shows the user's first account."""
    ada, eve = new_account(), new_account(name="Eve")
    console = log_in_as(latchkey, ada)
    for account_id in (eve.id, "acc_00000000000000000000", "rubbish"):
        console.cookies[console.cookie_name("latchkey-account")] = account_id
        assert opened(console) == ada.id


def test_page_of_the_last_opened_account_reads_no_other_account(latchkey: TestApp) -> None:
    """A page reads the account and the membership of the account that this browser opened last in one call."""
    ada = new_account()
    for number in range(3):
        second_account(ada, f"N{number}")
    console = log_in_as(latchkey, ada)
    with telemetry.record_calls() as calls:
        console.open("/settings/account")
    assert [operation for operation, _ in calls.made].count("BatchGetItem") == 1


def test_account_is_created_and_opened(latchkey: TestApp) -> None:
    """A new account belongs to its creator, has the free tier, and is opened immediately."""
    ada = new_account(tier=tiers.PRO)
    console = log_in_as(latchkey, ada)
    page = console.submit(f"{ACCOUNTS}/new", on=ACCOUNTS, name="  Analytical Engines ")
    shown = console.follow(page)
    assert (shown.notice, "Analytical Engines" in shown.text) == ("Account created. You are its owner.", True)
    (created,) = [each for each in members.all_of(ada.reload().user) if each.account.id != ada.id]
    assert (created.account.name, created.account.tier, created.role) == ("Analytical Engines", "free", "owner")
    assert opened(console) == created.account.id
    (event,) = record.newest_first(created.account.id, 10, kind=kinds.ACCOUNT_CREATED)
    assert (event.user_id, event.actor) == (ada.user_id, console.session_id)
    secret = console.submit("/settings/keys/new", name="CI", scopes=["read"]).secrets[0]
    assert latchkey.call("GET", "/v1/users/me", secret).json()["account"] == created.account.id


def test_unverified_user_creates_no_account_where_email_is_sent(latchkey: TestApp, box: Mailbox) -> None:
    """A user with an unverified address sees a sentence instead of the form, and a form that they send is rejected."""
    ada = new_account(verified=False)
    console = log_in_as(latchkey, ada)
    page = console.open(ACCOUNTS)
    assert f"{ACCOUNTS}/new" not in page.urls
    assert "Confirm your email address first" in page.text
    assert console.send(f"{ACCOUNTS}/new", {**console.token_fields(), "name": "Second"}).status == 409
    assert Account.count() == 1


def test_user_without_an_account_is_redirected_and_creates_one(latchkey: TestApp) -> None:
    """A user without an account is redirected from pages of an account to Your accounts, and creates one there."""
    ada = new_account()
    console = log_in_as(latchkey, ada)
    console.submit(f"{ACCOUNT}/delete", on=ACCOUNT, password=PASSWORD)
    for path in ("/settings", "/settings/keys", "/settings/usage", ACCOUNT):
        assert console.open(path).location == ACCOUNTS
    assert console.follow(console.open("/login")).heading == "Your accounts"
    page = console.open(ACCOUNTS)
    assert "You don't belong to any account." in page.text
    assert console.open(PROFILE).status == 200
    assert {"/settings/keys", "/settings/usage"}.isdisjoint(page.urls)
    assert {ACCOUNTS, PROFILE} <= set(page.urls)
    created = console.follow(console.submit(f"{ACCOUNTS}/new", on=ACCOUNTS, name="Next"))
    assert created.notice == "Account created. You are its owner."
    assert console.open("/settings").location == "/settings/keys"


def test_form_of_a_user_without_an_account_changes_nothing(latchkey: TestApp) -> None:
    """A form of an account that was deleted since it was opened gets a 404 page, and changes nothing."""
    ada = new_account()
    console, late = log_in_as(latchkey, ada), log_in_as(latchkey, ada)
    form = late.fill(late.open(ACCOUNT), f"{ACCOUNT}/name", {"name": "Late"})
    console.submit(f"{ACCOUNT}/delete", on=ACCOUNT, password=PASSWORD)
    assert late.send(f"{ACCOUNT}/name", form).status == 404
    assert Account.get(ada.id).name == "deleted"


def test_suspended_account_is_a_403_and_others_stay_open(latchkey: TestApp) -> None:
    """Pages and forms of a suspended account are a 403 page with navigation. The profile, Your accounts and the user's
    other accounts work.
    """
    ada = new_account()
    second = second_account(ada)
    console = log_in_as(latchkey, second)
    form = console.fill(console.open(ACCOUNT), f"{ACCOUNT}/name", {"name": "Late"})
    change.set_tier_and_status(second.id, tier=None, status=SUSPENDED, actor="operator")
    for page in (console.open("/settings/keys"), console.open(ACCOUNT), console.send(f"{ACCOUNT}/name", form)):
        assert (page.status, page.heading) == (403, "Access denied")
        assert "This account is suspended." in page.text
        assert {ACCOUNTS, PROFILE, "/logout"} <= set(page.urls)
        assert "/settings/keys" not in page.urls
    assert Account.get(second.id).name == "Second"
    assert console.open(PROFILE).status == 200
    assert console.follow(console.submit(f"{PROFILE}/name", on=PROFILE, name="Ada L")).notice == "Name changed."
    listed = {row[0]: row[2] for row in console.open(ACCOUNTS).rows[1:]}
    assert listed == {f"Ada {ada.id}": "Open", f"Second {second.id}": "Suspended To delete it, ask the operator."}
    open_in(console, ada)
    assert opened(console) == ada.id


def test_forms_of_two_tabs_change_their_own_accounts(latchkey: TestApp) -> None:
    """A form changes the account whose page it is on, even if another account was opened in another tab meanwhile."""
    first = new_account()
    second = second_account(first)
    console = log_in_as(latchkey, first)
    of_first = console.fill(console.open(ACCOUNT), f"{ACCOUNT}/name", {"name": "One"})
    key_form = console.fill(console.open("/settings/keys/new"), "/settings/keys/new", {"name": "CI"})
    open_in(console, second)
    of_second = console.fill(console.open(ACCOUNT), f"{ACCOUNT}/name", {"name": "Two"})
    assert console.send(f"{ACCOUNT}/name", of_first).status == 303
    assert (first.reload().name, second.reload().name) == ("One", "Second")
    # The next page of this tab belongs to the same account as its form.
    assert opened(console) == first.id
    assert console.send(f"{ACCOUNT}/name", of_second).status == 303
    assert (first.reload().name, second.reload().name) == ("One", "Two")
    assert console.send("/settings/keys/new", key_form).status == 200
    assert [len(list(find.keys_of(each.id))) for each in (first, second)] == [1, 0]


def test_rejected_form_stays_with_its_account(latchkey: TestApp) -> None:
    """The page of a rejected form belongs to the form's account, so that sending it again changes the same account."""
    first = new_account()
    second = second_account(first)
    console = log_in_as(latchkey, first)
    form = console.fill(console.open(ACCOUNT), f"{ACCOUNT}/name", {"name": ""})
    open_in(console, second)
    page = console.send(f"{ACCOUNT}/name", form)
    assert (page.status, page.value(f"{ACCOUNT}/name", "account")) == (400, first.id)
    assert console.send(f"{ACCOUNT}/name", console.fill(page, f"{ACCOUNT}/name", {"name": "One"})).status == 303
    assert (first.reload().name, second.reload().name) == ("One", "Second")


def test_form_with_the_account_exchanged_is_outdated(latchkey: TestApp) -> None:
    """A form whose account was exchanged for another one of the user is rejected as outdated and changes nothing. So is
    a form without its account.
    """
    first = new_account()
    second = second_account(first)
    console = log_in_as(latchkey, first)
    form = console.fill(console.open(ACCOUNT), f"{ACCOUNT}/name", {"name": "Changed"})
    without = {name: value for name, value in form.items() if name != "account"}
    for tried in (form | {"account": second.id}, form | {"account": ""}, without):
        page = console.send(f"{ACCOUNT}/name", tried)
        assert (page.status, "This page has expired." in page.problem) == (403, True)
    both = {**form, "account": [first.id, second.id]}
    assert console.send(f"{ACCOUNT}/name", both).status == 403
    assert (first.reload().name, second.reload().name) == ("Ada", "Second")


@pytest.mark.parametrize("action", ["name", "delete"])
def test_form_of_an_account_of_others_is_not_found(latchkey: TestApp, action: str) -> None:
    """A form that names an account to which the user doesn't belong is a 404, even with the right token for it."""
    ada, eve = new_account(), new_account(name="Eve")
    console = log_in_as(latchkey, eve)
    token = secrets.digest(f"csrf {console.session} {ada.id}")[:32]
    fields = {"csrf": token, "account": ada.id, "name": "Mine", "password": PASSWORD}
    page = console.send(f"{ACCOUNT}/{action}", fields)
    assert (page.status, ada.name in page.text) == (404, False)
    assert ada.reload().name == "Ada"
    assert opened(console) == eve.id


def test_former_member_has_no_access(latchkey: TestApp) -> None:
    """A member who was removed gets a 404 for a form of the account, and sees another account at the next page."""
    bea = new_account(name="Bea")
    grace = latchkey.member(bea, "admin")
    console = log_in_as(latchkey, grace)
    form = console.fill(console.open(ACCOUNT), f"{ACCOUNT}/name", {"name": "Late"})
    from_store = Member.get(bea.id, grace.user_id)
    with models.transaction() as write:
        members.remove_from(write, from_store, bea.membership.manager)
    assert console.send(f"{ACCOUNT}/name", form).status == 404
    assert bea.reload().name == "Bea"
    assert opened(console) not in (bea.id, "")


def test_account_cookie_lasts_a_year_and_is_bound_to_this_host(latchkey: TestApp) -> None:
    """The cookie with the opened account has the attributes of all cookies, and log-out leaves it."""
    ada = new_account()
    console = log_in_as(latchkey, ada)
    page = console.send(f"{ACCOUNTS}/open", {**console.token_fields(ACCOUNTS), "open": ada.id})
    assert page.set_cookies == [
        f"__Host-latchkey-account={ada.id}; Path=/; HttpOnly; SameSite=Lax; Max-Age={365 * 86_400}; Secure"
    ]
    assert settings.current().public_url.startswith("https:")


def test_own_activity_and_activity_of_the_account_are_apart(latchkey: TestApp) -> None:
    """Log-ins and changes of the profile are on the user's own page only, and changes of the account on its page only.
    Other members don't see a user's own events.
    """
    ada = new_account()
    grace = latchkey.member(ada, "admin")
    console = log_in_as(latchkey, ada)
    console.submit(f"{PROFILE}/name", on=PROFILE, name="Ada Lovelace")
    console.submit(f"{ACCOUNT}/name", on=ACCOUNT, name="Engines")
    own = [row[0] for row in console.open(f"{PROFILE}/activity").rows[1:]]
    of_account = [row[0] for row in console.open("/settings/activity").rows[1:]]
    labels = kinds.LABELS
    assert {labels[kinds.LOGGED_IN], labels[kinds.USER_RENAMED]} <= set(own)
    assert {labels[kinds.ACCOUNT_RENAMED], labels[kinds.ACCOUNT_CREATED]} <= set(of_account)
    assert set(own).isdisjoint(of_account)
    for path in ("/settings/activity", f"{PROFILE}/activity"):
        page = log_in_as(latchkey, grace).open(path)
        assert labels[kinds.USER_RENAMED] not in page.text
    listed = latchkey.call("GET", "/v1/events", latchkey.key(ada, "events").secret).json()["data"]
    assert not [each["type"] for each in listed if kinds.is_of_user(each["type"])]


def test_activity_names_the_member_who_acted(latchkey: TestApp) -> None:
    """Activity shows the name of the member who acted; your own browser is named as such."""
    ada = new_account()
    grace = latchkey.member(ada, "admin", name="Grace")
    log_in_as(latchkey, grace).submit(f"{ACCOUNT}/name", on=ACCOUNT, name="Engines")
    console = log_in_as(latchkey, ada)
    console.submit(f"{ACCOUNT}/name", on=ACCOUNT, name="Engines Ltd")
    by = [
        row[3] for row in console.open("/settings/activity").rows[1:] if row[0] == kinds.LABELS[kinds.ACCOUNT_RENAMED]
    ]
    assert by == ["You (this browser)", "Grace"]


def test_sixth_account_in_an_hour_is_rejected_and_its_name_kept(latchkey: TestApp) -> None:
    """A user creates at most five further accounts an hour. The form keeps the name, and the next hour accepts it."""
    ada = new_account()
    console = log_in_as(latchkey, ada)
    for number in range(5):
        assert console.submit(f"{ACCOUNTS}/new", on=ACCOUNTS, name=f"Account{number}").status == 303
    page = console.submit(f"{ACCOUNTS}/new", on=ACCOUNTS, name="Sixth")
    assert (page.status, page.answer.header("Retry-After")) == (429, "3600")
    assert page.value(f"{ACCOUNTS}/new", "name") == "Sixth"
    assert len(ada.reload().user.account_ids or ()) == 6
    latchkey.clock.forward(3_600)
    assert console.submit(f"{ACCOUNTS}/new", on=ACCOUNTS, name="Sixth").status == 303


def test_further_accounts_count_as_sign_ups_of_the_network(latchkey: TestApp) -> None:
    """Users of one network can't create more accounts by logging in than by signing up."""
    console = log_in_as(latchkey, new_account())
    latchkey.set_counters(f"sign-ups_{console.ip}", tiers.SIGN_UPS, used=29)
    assert console.submit(f"{ACCOUNTS}/new", on=ACCOUNTS, name="One").status == 303
    page = console.submit(f"{ACCOUNTS}/new", on=ACCOUNTS, name="Two")
    assert (page.status, page.value(f"{ACCOUNTS}/new", "name")) == (429, "Two")


def test_rejected_account_isnt_counted_for_the_network(latchkey: TestApp) -> None:
    """A user beyond the own limit doesn't use up the sign-ups of others in the network."""
    ada = new_account()
    console = log_in_as(latchkey, ada)
    latchkey.set_counters(f"accounts_{ada.user_id}", tiers.FURTHER_ACCOUNTS, used=5)
    assert console.submit(f"{ACCOUNTS}/new", on=ACCOUNTS, name="Two").status == 429
    assert "used" not in latchkey.counters(f"sign-ups_{console.ip}", tiers.SIGN_UPS)
