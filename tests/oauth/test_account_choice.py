"""The account that a client may access: which ones the pages offer, when none has to be chosen, and its scopes."""

import re

import pytest

from chalicelib.accounts import member_roles, members, roles, states
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core.dynamodb import models
from chalicelib.oauth import account_choice, grants
from chalicelib.oauth.account_choice import Choice
from chalicelib.oauth.tables import Grant
from chalicelib.termination import member_removal
from tests.oauth.flow import CLIENT, ISSUER, REFRESH, App, error_of, is_accepted, new_user, query_of, register_client
from tests.oauth.flow import User as Resource
from tests.support.console_client import Page
from tests.support.harness import AccountOfTest, TestApp


@pytest.fixture
def firm(latchkey: TestApp) -> AccountOfTest:
    """Another user's account."""
    return latchkey.account(name="Firm")


def join(user: Resource, account: AccountOfTest, role: str = "developer") -> None:
    """Make a user a member of another user's account."""
    with models.transaction() as write:
        members.add_to(write, members.new(account.id, user.account.user_id, role), User.get(user.account.user_id))


def remove(user: Resource, account: AccountOfTest) -> None:
    """Remove a user from an account, without the job that deletes what remains."""
    owner = Manager(account.id, account.user_id, roles.OWNER)
    member_removal.remove(owner, user.account.user_id, member_removal.REVOKE)


def set_role(user: Resource, account: AccountOfTest, role: str) -> None:
    """Change the role of a member."""
    member_roles.change_role(Manager(account.id, account.user_id, roles.OWNER), user.account.user_id, role)


def offered(page: Page) -> list[str]:
    """Return the accounts that a consent page offers."""
    return re.findall(r'name="for_account" value="([^"]+)"', page.html)


def selected(page: Page) -> list[str]:
    """Return the selected accounts of a consent page."""
    return re.findall(r'name="for_account" value="([^"]+)" required checked', page.html)


def test_single_account_is_not_asked_for(ada: Resource, app: App) -> None:
    """The page of a user with one account names the account, but has no choice."""
    page = ada.open_authorization(app)
    assert offered(page) == [ada.account.id]
    assert 'type="radio"' not in page.html
    assert f"your account {ada.account.name}" in page.text


def test_user_of_two_accounts_chooses_one(latchkey: TestApp, ada: Resource, app: App, firm: AccountOfTest) -> None:
    """The page offers both accounts, and selects the one that the browser opened last. The token gives access to the
    chosen account, as the user who approved.
    """
    join(ada, firm)
    page = ada.open_authorization(app, scope="read write")
    assert offered(page) == sorted([ada.account.id, firm.id])
    assert selected(page) == [min(ada.account.id, firm.id)]
    ada.cookies[ada.cookie_name("latchkey-account")] = firm.id
    assert selected(ada.open_authorization(app)) == [firm.id]
    location = ada.decide(page, for_account=firm.id).location
    body = app.redeem(query_of(location)["code"]).json()
    assert latchkey.call("GET", "/v1/limits", body["access_token"]).status == 200
    assert latchkey.counters(firm.id)["used"] == 1
    assert app.post("/oauth/introspect", token=body["access_token"]).json() | {"exp": 0, "iat": 0} == {
        "active": True,
        "scope": "read write",
        "client_id": app.id,
        "token_type": "Bearer",
        "exp": 0,
        "iat": 0,
        "sub": ada.account.user_id,
        "account_id": firm.id,
        "iss": ISSUER,
    }
    (grant,) = grants.of_user(ada.account.user_id, firm.id)
    assert list(grants.of_account(ada.account.id)) == []
    assert grant.client_id == app.id


@pytest.mark.parametrize("chosen", ["", "acc_0000000000000000000x", "foreign"])
def test_account_that_was_not_offered_is_rejected(
    latchkey: TestApp, ada: Resource, app: App, firm: AccountOfTest, chosen: str
) -> None:
    """A decision without an account, or for an account of another user, shows the page again with an error."""
    join(ada, firm)
    foreign = latchkey.account().id if chosen == "foreign" else chosen
    page = ada.decide(ada.open_authorization(app), for_account=foreign)
    assert (page.status, page.problem) == (400, "Select an account.")
    user_code = app.post("/oauth/device_authorization").json()["user_code"]
    fields = ada.fill(ada.open(f"/device?user_code={user_code}"), "/device", {"decision": "allow"})
    page = ada.send("/device", fields | {"for_account": foreign})
    assert (page.status, page.problem) == (400, "Select an account.")
    assert list(Grant.by_client.query(app.id)) == []


def test_account_joined_while_the_page_is_open_is_shown_first(ada: Resource, app: App, firm: AccountOfTest) -> None:
    """If the user's accounts or roles change while the page is open, a decision shows the page again."""
    page = ada.open_authorization(app, scope="read write")
    join(ada, firm)
    again = ada.decide(page)
    assert (again.status, "has changed since" in again.text) == (409, True)
    set_role(ada, firm, "viewer")
    last = ada.decide(again)
    assert (last.status, "has changed since" in last.text) == (409, True)
    assert ada.decide(last, for_account=firm.id).status == 303


def test_consent_is_silent_where_exactly_one_account_fits(ada: Resource, app: App, firm: AccountOfTest) -> None:
    """With a remembered consent for one account, the next request needs no page. With consents for two, the user
    chooses.
    """
    join(ada, firm)
    ada.decide(ada.open_authorization(app), for_account=firm.id)
    for prompt in (None, "none"):
        assert "code" in query_of(ada.open_authorization(app, prompt=prompt).location)
    assert len(list(grants.of_user(ada.account.user_id, firm.id))) == 3
    ada.decide(ada.open_authorization(app, prompt="select_account"), for_account=ada.account.id)
    page = ada.open_authorization(app)
    assert (page.status, len(offered(page))) == (200, 2)
    silent = query_of(ada.open_authorization(app, prompt="none").location)
    assert (silent["error"], silent["state"]) == ("account_selection_required", "xyz")


def test_remembered_consent_of_a_removed_member_is_no_longer_valid(
    ada: Resource, app: App, firm: AccountOfTest
) -> None:
    """A removed member is not offered the account. After joining again, the user is asked for consent again."""
    join(ada, firm)
    ada.decide(ada.open_authorization(app), for_account=firm.id)
    ada.latchkey.clock.forward(1)
    remove(ada, firm)
    page = ada.open_authorization(app)
    assert (page.status, offered(page)) == (200, [ada.account.id])
    ada.latchkey.clock.forward(1)
    join(ada, firm)
    assert ada.open_authorization(app).status == 200


def test_suspended_account_is_not_offered(ada: Resource, app: App, firm: AccountOfTest) -> None:
    """A suspended account can't be chosen. If it is the only one, an error page says so."""
    join(ada, firm)
    Account(firm.id).update(actions=[Account.status.set(states.SUSPENDED)])
    assert offered(ada.open_authorization(app)) == [ada.account.id]
    Account(ada.account.id).update(actions=[Account.status.set(states.SUSPENDED)])
    page = ada.open_authorization(app)
    assert (page.status, "suspended" in page.text) == (403, True)
    silent = query_of(ada.open_authorization(app, prompt="none").location)
    assert silent["error"] == "interaction_required"


def test_user_without_an_account_is_told_how_to_create_one(latchkey: TestApp, ada: Resource, app: App) -> None:
    """An error page says that an app needs an account, and how to create one. The client gets an error only for
    prompt=none.
    """
    user_code = app.post("/oauth/device_authorization").json()["user_code"]
    ada.delete_account()
    for target in (app.authorization_path(), f"/device?user_code={user_code}"):
        page = ada.open(target)
        assert (page.status, "Create one in Settings > Your accounts" in page.text) == (409, True)
    silent = query_of(ada.open_authorization(app, prompt="none").location)
    assert silent["error"] == "interaction_required"
    assert ada.open("/device").status == 200


@pytest.mark.parametrize(("role", "granted"), [("developer", "read write"), ("viewer", "read")])
def test_client_gets_only_scopes_that_the_role_allows(
    latchkey: TestApp, ada: Resource, app: App, firm: AccountOfTest, role: str, granted: str
) -> None:
    """RFC 6749 §3.3: the scope of the token response is that which the user's role in the chosen account allows."""
    join(ada, firm, role)
    page = ada.open_authorization(app, scope="read write")
    assert ("It allows only read" in page.text) is (role == "viewer")
    code = query_of(ada.decide(page, for_account=firm.id).location)["code"]
    body = app.redeem(code).json()
    assert body["scope"] == granted
    assert app.refresh(body["refresh_token"]).json()["scope"] == granted
    set_role(ada, firm, "admin")
    assert app.refresh(app.refresh(body["refresh_token"]).json()["refresh_token"]).json()["scope"] == granted


def test_page_of_a_single_account_says_what_the_role_excludes(latchkey: TestApp, app: App, firm: AccountOfTest) -> None:
    """If the only account allows fewer scopes, the page names the others."""
    guest = new_user(latchkey, "Guest")
    join(guest, firm, "viewer")
    Account(guest.account.id).update(actions=[Account.status.set(states.SUSPENDED)])
    page = guest.open_authorization(app, scope="read write")
    assert "which your role in this account, Viewer, doesn't allow." in page.text
    assert "Change your own name" not in page.text


def test_role_that_allows_no_requested_scope_is_an_error(latchkey: TestApp, app: App, firm: AccountOfTest) -> None:
    """If no role of the user allows any requested scope, an error page says so, and prompt=none gets an error."""
    guest = new_user(latchkey, "Guest")
    join(guest, firm, "viewer")
    assert offered(guest.open_authorization(app, scope="write")) == [guest.account.id]
    Account(guest.account.id).update(actions=[Account.status.set(states.SUSPENDED)])
    page = guest.open_authorization(app, scope="write")
    assert (page.status, "allows none of the permissions that this app asks for (write)" in page.text) == (403, True)
    silent = query_of(guest.open_authorization(app, scope="write", prompt="none").location)
    assert silent["error"] == "interaction_required"


def test_device_gets_the_chosen_account_and_the_scopes_of_the_role(
    latchkey: TestApp, ada: Resource, app: App, firm: AccountOfTest
) -> None:
    """On the device page the user chooses the account, too, and the device gets the scopes that the role allows."""
    join(ada, firm, "viewer")
    started = app.post("/oauth/device_authorization", scope="read write").json()
    page = ada.open(f"/device?user_code={started['user_code']}")
    assert sorted(offered(page)) == sorted([ada.account.id, firm.id])
    fields = ada.fill(page, "/device", {"decision": "allow", "for_account": firm.id})
    assert ada.send("/device", fields).status == 200
    body = app.ask("urn:ietf:params:oauth:grant-type:device_code", device_code=started["device_code"]).json()
    assert body["scope"] == "read"
    assert app.post("/oauth/introspect", token=body["access_token"]).json()["account_id"] == firm.id


def test_removed_member_gets_and_uses_no_tokens(
    latchkey: TestApp, ada: Resource, app: App, firm: AccountOfTest
) -> None:
    """From the removal on, codes, refresh tokens and access tokens of the member for this account are invalid. Those
    for the member's other accounts work.
    """
    join(ada, firm)
    tokens = {}
    for account_id in (firm.id, ada.account.id):
        page = ada.open_authorization(app, prompt="consent")
        code = query_of(ada.decide(page, for_account=account_id).location)["code"]
        unused = query_of(ada.decide(ada.open_authorization(app, prompt="consent"), for_account=account_id).location)
        tokens[account_id] = app.redeem(code).json(), unused["code"]
    remove(ada, firm)
    body, code = tokens[firm.id]
    assert not is_accepted(latchkey, body["access_token"])
    assert error_of(app.ask(REFRESH, refresh_token=body["refresh_token"])) == (400, "invalid_grant")
    assert error_of(app.redeem(code)) == (400, "invalid_grant")
    for token in (body["access_token"], body["refresh_token"]):
        assert app.post("/oauth/introspect", token=token).json() == {"active": False}
    body, code = tokens[ada.account.id]
    assert is_accepted(latchkey, body["access_token"])
    assert app.redeem(code).status == 200
    assert app.refresh(body["refresh_token"]).status == 200


def test_connected_apps_are_those_of_the_user_in_the_account(
    latchkey: TestApp, ada: Resource, app: App, firm: AccountOfTest
) -> None:
    """The page lists the user's own apps in the current account, and disconnecting one leaves the other account's."""
    join(ada, firm)
    other = register_client(latchkey)
    for each, account_id in ((app, ada.account.id), (app, firm.id), (other, firm.id)):
        ada.decide(ada.open_authorization(each, prompt="consent"), for_account=account_id)
    of_owner = Resource(latchkey, account=firm)
    of_owner.log_in_again()
    assert app.id not in of_owner.open("/settings/connected").html
    ada.cookies[ada.cookie_name("latchkey-account")] = ada.account.id
    page = ada.open("/settings/connected").html
    assert (app.id in page, other.id in page) == (True, False)
    ada.submit("/settings/connected", client_id=app.id)
    ada.cookies[ada.cookie_name("latchkey-account")] = firm.id
    page = ada.open("/settings/connected").html
    assert (app.id in page, other.id in page) == (True, True)
    assert [each.account_id for each in Grant.by_client.query(app.id) if each.is_active()] == [firm.id]


def test_client_token_belongs_to_the_service_user(latchkey: TestApp, app: App) -> None:
    """A token in the client's own name needs no user and no membership."""
    token = app.ask(CLIENT, scope="read write").json()["access_token"]
    account_id = str(app.client.account_id)
    seen = app.post("/oauth/introspect", token=token).json()
    assert (seen["sub"], seen["account_id"]) == (roles.service_user_of(account_id), account_id)
    assert seen["scope"] == "read write"
    for member in list(Member.query(account_id)):
        member.delete()
    assert is_accepted(latchkey, token)
    assert app.post("/oauth/introspect", token=token).json()["active"]


def test_choices_are_those_of_active_accounts_with_a_scope(latchkey: TestApp) -> None:
    """The choices are in the order of the memberships."""
    account, guest = latchkey.account(), latchkey.account()
    requested = frozenset({"read", "write"})
    found = account_choice.choices([account.membership, guest.membership], requested)
    assert found == [Choice(each.membership, requested) for each in (account, guest)]
    assert account_choice.pick(found, guest.id) == found[1]
    assert account_choice.content(found) == [(each.id, ["read", "write"]) for each in (account, guest)]
