"""A password reset removes the items that the user selects, and keeps all others."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.accounts import create, email_links, members, roles, sessions, tables
from chalicelib.api.console.leftovers import OFFERED_MAX
from chalicelib.core import clock, ids
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.events import kinds, record
from chalicelib.jobs.progress import BATCH, SETTLED_MS
from chalicelib.limits import tiers
from chalicelib.oauth import clients, consent, grants
from chalicelib.oauth.tables import Client
from chalicelib.termination import password_reset
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint
from tests.api.console.places import create_failed_delivery
from tests.oauth.flow import CLIENT, App, User, is_accepted, new_user, register_client
from tests.support.console_client import ConsoleClient, Page, new_account
from tests.support.harness import AccountOfTest, TestApp
from tests.support.job_runs import run_jobs, stored_jobs

OTHER = "harmonica wolverine custard"


@dataclass(frozen=True, slots=True)
class Leftover:
    """An account with two each of keys, applications with a token, webhooks and connected apps."""

    ada: User
    keys: list[Any]
    apps: list[App]
    tokens: list[str]
    webhooks: list[Endpoint]
    connected: list[str]


def account_with_items(latchkey: TestApp) -> Leftover:
    """Create an account with two items of each type."""
    ada = new_user(latchkey)
    apps = [register_client(latchkey, owner=ada.account) for _ in range(2)]
    return Leftover(
        ada,
        keys=[latchkey.key(ada.account) for _ in range(2)],
        apps=apps,
        tokens=[app.ask(CLIENT).json()["access_token"] for app in apps],
        webhooks=[
            endpoints.find_owned(ada.account.id, create_failed_delivery(ada.account).endpoint_id) for _ in range(2)
        ],
        connected=[ada.grant(register_client(latchkey))[0] for _ in range(2)],
    )


def link(account: AccountOfTest, *, mailed: bool = True) -> str:
    """Return the path of a link that sets the user's password."""
    email = account.email if mailed else None
    ticket = email_links.new_link(
        account.user_id, email_links.SET_PASSWORD, email=email, epoch=account.user.session_epoch
    )
    return f"/password?ticket={ticket}"


def checkboxes(page: Page) -> dict[str, bool]:
    """Return whether each checkbox of the page is selected, by its value."""
    boxes = re.findall(r'<input type="checkbox"[^>]*>', page.html)
    return {re.findall(r'value="([^"]+)"', box)[0]: " checked" in box for box in boxes}


def run_scheduled() -> None:
    """Run the function that is scheduled every minute."""
    run_jobs()


@pytest.mark.parametrize("mailed", [True, False])
def test_link_offers_every_item_and_selects_connected_apps_only(latchkey: TestApp, mailed: bool) -> None:
    """A link to set a password, even one from an administrator, lists all keys, applications and webhooks. Only the box
    that disconnects apps is selected at first.
    """
    items = account_with_items(latchkey)
    page = ConsoleClient(latchkey).open(link(items.ada.account, mailed=mailed))
    ids = [key.key.id for key in items.keys] + [app.id for app in items.apps] + [hook.id for hook in items.webhooks]
    assert checkboxes(page) == {"end": True} | dict.fromkeys(ids, False)
    assert "Log out everywhere and disconnect apps" in page.text
    for shown in (items.keys[0].key.hint, items.apps[0].client.name, items.webhooks[0].name):
        assert shown in page.text, shown
    assert page.secrets == []


def test_selected_items_stop_and_others_keep_working(latchkey: TestApp) -> None:
    """Selected keys, applications and webhooks stop working, and unselected ones continue to work."""
    items = account_with_items(latchkey)
    account, chosen = items.ada.account, [items.keys[0].key.id, items.apps[0].id, items.webhooks[0].id]
    assert all(
        is_accepted(latchkey, token) for token in [*items.tokens, *items.connected, *(key.secret for key in items.keys)]
    )
    page = ConsoleClient(latchkey).submit(link(account), password=OTHER, end=chosen)
    assert page.location == "/login?done=password-set"
    assert [is_accepted(latchkey, key.secret) for key in items.keys] == [False, True]
    assert [is_accepted(latchkey, token) for token in items.tokens] == [False, True]
    assert [is_accepted(latchkey, token) for token in items.connected] == [False, False]
    assert [app.id for app in items.apps if clients.find(app.id)] == [items.apps[1].id]
    assert [hook.id for hook in endpoints.of_account(account.id)] == [items.webhooks[1].id]
    assert list(consent.of_membership(account.membership)) == []
    assert sessions.session_of(items.ada.session) is None


def test_items_of_several_accounts_are_listed_by_account(latchkey: TestApp) -> None:
    """The page lists what the user created in each of their accounts, and nothing that other members created."""
    items, firm = account_with_items(latchkey), new_account(name="Firm")
    user = items.ada.account.user
    member = members.new(firm.id, user.id, "admin", invited_by=firm.user_id)
    with models.transaction() as write:
        members.add_to(write, member, user)
    mine = AccountOfTest(members.find(tables.User.get(user.id), firm.id))
    own, others = latchkey.key(mine), latchkey.key(firm)
    app, foreign = (register_client(latchkey, owner=each) for each in (mine, firm))
    theirs = create_failed_delivery(firm).endpoint_id
    page = ConsoleClient(latchkey).open(link(mine))
    ids = [key.key.id for key in items.keys] + [app.id for app in items.apps] + [hook.id for hook in items.webhooks]
    assert checkboxes(page) == {"end": True} | dict.fromkeys([*ids, own.key.id, app.id], False)
    assert "API keys to revoke in Ada" in page.text
    assert "Applications to delete in Firm" in page.text
    chosen = [items.keys[0].key.id, own.key.id, app.id, others.key.id, foreign.id, theirs]
    token = items.ada.grant(register_client(latchkey), prompt="consent")[0]
    assert ConsoleClient(latchkey).submit(link(mine), password=OTHER, end=chosen).status == 303
    secrets = [items.keys[0].secret, own.secret, others.secret, token]
    assert [is_accepted(latchkey, secret) for secret in secrets] == [False, False, True, False]
    assert [clients.find(each.id) is None for each in (app, foreign)] == [True, False]
    assert [hook.id for hook in endpoints.of_account(firm.id)] == [theirs]


def test_job_of_a_reset_ignores_what_others_created(latchkey: TestApp) -> None:
    """Ids of other members' items are ignored, even if they were selected."""
    items = account_with_items(latchkey)
    guest = latchkey.member(items.ada.account, "admin")
    chosen = {items.keys[0].key.id, items.apps[0].id, items.webhooks[0].id}
    password_reset.new(guest.user_id, chosen, by="x").save()
    latchkey.clock.forward(60)
    run_jobs()
    assert is_accepted(latchkey, items.keys[0].secret)
    assert clients.find(items.apps[0].id) is not None
    assert len(list(endpoints.of_account(items.ada.account.id))) == 2


@pytest.mark.parametrize(("role", "is_kept"), [(roles.DEVELOPER, True), (roles.ADMIN, False)])
def test_applications_and_webhooks_are_ended_only_by_admins(latchkey: TestApp, role: str, is_kept: bool) -> None:
    """A user who has lost the role admin isn't offered the account's applications and webhooks that they created, and
    can't end them. Their own keys are offered as ever.
    """
    member = latchkey.member(new_account(name="Firm"), roles.ADMIN)
    tables.User(member.user_id).update(actions=[tables.User.password_hash.set("hash")])
    key, app = latchkey.key(member), register_client(latchkey, owner=member)
    hook = endpoints.find_owned(member.id, create_failed_delivery(member).endpoint_id)
    tables.Member(member.id, member.user_id).update(actions=[tables.Member.role.set(role)])
    offered = {key.key.id} if is_kept else {key.key.id, app.id, hook.id}
    page = ConsoleClient(latchkey).open(link(member))
    assert checkboxes(page).keys() == offered | {"end"}
    password_reset.new(member.user_id, {key.key.id, app.id, hook.id}, by="x").save()
    latchkey.clock.forward(60)
    run_jobs()
    assert not is_accepted(latchkey, key.secret)
    assert (clients.find(app.id) is not None, [*endpoints.of_account(member.id)] != []) == (is_kept, is_kept)


def test_no_more_items_are_offered_than_a_form_can_have_fields(latchkey: TestApp) -> None:
    """Of more items than fit into a form, the first ones are offered."""
    ada = new_user(latchkey)
    for _ in range(2):
        create.create_further_account(ada.account.user, name="Firm", tier=tiers.FREE)
    memberships = members.all_of(tables.User.get(ada.account.user_id))
    for membership in memberships:
        for _ in range(clients.PER_ACCOUNT_MAX):
            Client(
                ids.new("app"),
                name="A",
                account_id=membership.account.id,
                user_id=membership.user.id,
                created_at=0,
                grant_types={"authorization_code"},
                scopes={"read"},
                auth_method="none",
                registered_by="account",
            ).save()
    page = ConsoleClient(latchkey).open(link(ada.account))
    assert len(checkboxes(page)) == 1 + OFFERED_MAX


def test_deselected_box_keeps_apps_connected_and_ends_sessions(latchkey: TestApp) -> None:
    """If nothing is selected, apps stay connected, sessions end, and no termination is pending."""
    items = account_with_items(latchkey)
    page = ConsoleClient(latchkey).submit(link(items.ada.account), password=OTHER, connected="")
    assert page.location == "/login?done=password-set"
    assert all(
        is_accepted(latchkey, token) for token in [*items.tokens, *items.connected, *(key.secret for key in items.keys)]
    )
    assert len(list(consent.of_membership(items.ada.account.membership))) == 2
    assert sessions.session_of(items.ada.session) is None
    assert stored_jobs() == []


def test_ids_of_another_account_are_ignored(latchkey: TestApp) -> None:
    """Ids of another user's items and invalid ids in a manipulated form are ignored."""
    items, other = account_with_items(latchkey), account_with_items(latchkey)
    foreign = [other.keys[0].key.id, other.apps[0].id, other.webhooks[0].id, "connected", "nonsense", ""]
    console = ConsoleClient(latchkey)
    page = console.submit(link(items.ada.account), password=OTHER, end=foreign, connected="")
    assert page.location == "/login?done=password-set"
    assert is_accepted(latchkey, other.keys[0].secret)
    assert is_accepted(latchkey, other.tokens[0])
    assert all(is_accepted(latchkey, token) for token in items.connected)
    assert len(list(endpoints.of_account(other.ada.account.id))) == 2
    assert stored_jobs() == []


@pytest.mark.parametrize("why", ["weak", "too_old"])
def test_rejected_form_keeps_the_selection(latchkey: TestApp, why: str) -> None:
    """A form that is rejected removes nothing and keeps its selection."""
    items = account_with_items(latchkey)
    key, hook = items.keys[1].key.id, items.webhooks[0].id
    console, target = ConsoleClient(latchkey), link(items.ada.account)
    form = console.fill(console.open(target), "/password", {"password": "password1234", "end": [key, hook]})
    del form["connected"]
    if why == "too_old":
        form |= {"password": OTHER, "csrf": "old"}
    page = console.send("/password", form)
    assert page.status == (400 if why == "weak" else 403)
    assert {value for value, is_ticked in checkboxes(page).items() if is_ticked} == {key, hook}
    assert is_accepted(latchkey, items.keys[1].secret)
    again = console.fill(page, "/password", {"password": OTHER})
    assert console.send("/password", again).status == 303
    assert not is_accepted(latchkey, items.keys[1].secret)
    assert all(is_accepted(latchkey, token) for token in items.connected)


def test_used_link_removes_nothing(latchkey: TestApp) -> None:
    """A second use of a link removes nothing."""
    items = account_with_items(latchkey)
    first, second = ConsoleClient(latchkey), ConsoleClient(latchkey)
    target = link(items.ada.account)
    late = second.fill(second.open(target), "/password", {"password": OTHER, "end": [items.keys[0].key.id]})
    assert first.submit(target, password=OTHER).status == 303
    assert second.send("/password", late).status == 410
    assert is_accepted(latchkey, items.keys[0].secret)


def test_first_password_offers_no_items(latchkey: TestApp) -> None:
    """The link to set a first password offers no items, because no user could log in before."""
    account = latchkey.account(name="Ada")
    assert checkboxes(ConsoleClient(latchkey).open(link(account))) == {}


def test_first_verification_announces_that_everything_is_removed(latchkey: TestApp) -> None:
    """If the address is unverified, the page says that all items are removed and offers no choice, because another user
    may have created the account.
    """
    account = new_account(verified=False)
    latchkey.key(account)
    page = ConsoleClient(latchkey).open(link(account))
    assert checkboxes(page) == {}
    assert "Everything created before then is removed" in page.text


def test_link_from_an_administrator_keeps_unselected_keys(latchkey: TestApp) -> None:
    """A link from an administrator verifies no address, so unselected keys stay valid."""
    account = new_account(verified=False)
    kept, ended = latchkey.key(account), latchkey.key(account)
    page = ConsoleClient(latchkey).submit(link(account, mailed=False), password=OTHER, end=[ended.key.id])
    assert page.status == 303
    assert (is_accepted(latchkey, kept.secret), is_accepted(latchkey, ended.secret)) == (True, False)


def test_connected_apps_beyond_one_request_are_disconnected_by_the_scheduled_function(latchkey: TestApp) -> None:
    """If there are more connected apps than one request can disconnect, the scheduled function disconnects the rest."""
    ada = new_user(latchkey)
    app = register_client(latchkey)
    for _ in range(BATCH + 1):
        grants.new(ada.account.id, ada.account.user_id, app.id, scopes={"read"}, resources=set()).save()
    console = ConsoleClient(latchkey)
    page = console.follow(console.submit(link(ada.account), password=OTHER))
    assert "Some of the selected items couldn't be removed yet" in page.notice
    latchkey.clock.forward(30)
    ada.log_in_again()
    token, _ = ada.grant(app)
    for _ in range(2):
        run_scheduled()
        latchkey.clock.forward(SETTLED_MS / 1000)
    assert [grant.created_at for grant in grants.of_account(ada.account.id)] == [clock.now_ms() - 2 * SETTLED_MS]
    assert is_accepted(latchkey, token)
    assert [each.client_id for each in consent.of_membership(ada.account.membership)] == [app.id]
    assert stored_jobs() == []


def fail_transactions(table: str) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """Return a DynamoDB sender that fails every transaction that writes to this table."""
    by_wire = dynamodb.sender()

    def sent(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems" and f'-{table}"' in str(request).replace("'", '"'):
            raise DynamoDBError("InternalServerError", "no such luck", {})
        return by_wire(operation, request)

    return sent


def test_item_that_cannot_be_removed_is_retried(latchkey: TestApp) -> None:
    """If a key can't be revoked, the other selected items are still removed, and a later run revokes the key."""
    items = account_with_items(latchkey)
    console, target = ConsoleClient(latchkey), link(items.ada.account)
    chosen = [items.keys[0].key.id, items.apps[0].id, items.webhooks[0].id]
    form = console.fill(console.open(target), "/password", {"password": OTHER, "end": chosen})
    with dynamodb.use_sender(fail_transactions("credentials")):
        page = console.send("/password", form)
    assert page.location == "/login?done=password-set-not-all-ended"
    assert console.follow(page).notice.startswith("Password set")
    assert not is_accepted(latchkey, items.tokens[0])
    assert len(list(endpoints.of_account(items.ada.account.id))) == 1
    assert is_accepted(latchkey, items.keys[0].secret)
    run_scheduled()
    assert not is_accepted(latchkey, items.keys[0].secret)
    (event,) = record.newest_first(items.ada.account.id, 10, kind=kinds.KEY_REVOKED)
    assert event.changed.as_dict()["key"] == items.keys[0].key.id


def test_fifty_applications_are_deleted_in_one_request(latchkey: TestApp) -> None:
    """A form with the maximum of fifty applications is accepted, and one request deletes them."""
    ada = new_user(latchkey)
    apps = [register_client(latchkey, owner=ada.account) for _ in range(clients.PER_ACCOUNT_MAX)]
    keys = [latchkey.key(ada.account) for _ in range(20)]
    hooks = [create_failed_delivery(ada.account).endpoint_id for _ in range(endpoints.ENDPOINTS_MAX)]
    chosen = [app.id for app in apps] + [key.key.id for key in keys] + hooks
    page = ConsoleClient(latchkey).submit(link(ada.account), password=OTHER, end=chosen)
    assert page.location == "/login?done=password-set"
    assert [app.id for app in apps if clients.find(app.id)] == []
    assert list(endpoints.of_account(ada.account.id)) == []
    assert not is_accepted(latchkey, keys[19].secret)
