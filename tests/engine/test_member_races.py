"""Concurrent changes of an account's members: invitations accepted twice, members removed while they create keys.

Every caller has read the state on which it decides before any caller writes.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from chalicelib.accounts import invitation_acceptance, invitations, members, roles, tables
from chalicelib.accounts.tables import Account, Member
from chalicelib.credentials.find import keys_of
from chalicelib.termination import member_removal
from tests.engine.console_races import TWENTY, count_statuses, stores_a_key
from tests.engine.fault_proxy import is_transaction
from tests.engine.fleet import Fleet, Request
from tests.engine.hold_calls import HoldingProxy, release_together
from tests.oauth.flow import User, query_of, register_client
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp

pytestmark = pytest.mark.xdist_group("members")

PROCESSES = 10


def invite(owner: AccountOfTest, email: str, role: str = roles.DEVELOPER) -> str:
    manager = owner.membership.manager
    return invitations.invite(manager, email=email, role=role, networks=("n1",), base_url="").link


def test_an_invitation_accepted_20_times_concurrently_makes_one_member(latchkey: TestApp, proxy: HoldingProxy) -> None:
    owner, grace = new_account(), new_account(name="Grace")
    link = f"/invitation?ticket={invite(owner, grace.email, roles.OWNER)}"
    console = log_in_as(latchkey, grace)
    form = console.fill(console.open(link), "/invitation", {})
    pages = release_together(proxy, is_transaction, [lambda: console.send("/invitation", form)] * TWENTY)
    assert count_statuses(pages)[303] == 1
    assert set(count_statuses(pages)) <= {303, 409, 410}
    assert Account.get(owner.id, consistent_read=True).owners == 2
    assert len(list(Member.query(owner.id, consistent_read=True))) == 2


def test_two_users_of_one_address_never_both_join(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """A new user and one who signs up meanwhile with the invited address: one of them exists afterwards."""
    owner = new_account()
    opened = invitations.open_link(invite(owner, "both@example.com"))
    deeds = [
        partial(_outcome, lambda: invitation_acceptance.accept_as_new_user(opened, name="Grace", password_hash="x")),
        partial(_outcome, lambda: new_account(email="both@example.com")),
    ]
    assert sorted(release_together(proxy, is_transaction, deeds)) == ["Conflict", "done"]


def _outcome(deed: Callable[[], object]) -> str:
    try:
        deed()
    except Exception as error:
        return type(error).__name__
    return "done"


def test_a_member_removed_while_creating_keys_has_none_afterwards(latchkey: TestApp, proxy: HoldingProxy) -> None:
    owner = new_account()
    member = latchkey.member(owner, roles.DEVELOPER)
    console = log_in_as(latchkey, member)
    form = console.fill(console.open("/settings/keys/new"), "/settings/keys/new", {"name": "Late"})
    with proxy.hold(stores_a_key) as held, ThreadPoolExecutor(1) as thread:
        creating = thread.submit(lambda: console.send("/settings/keys/new", form))
        held.wait_for(1)
        member_removal.remove(owner.membership.manager, member.user_id, member_removal.REVOKE)
        held.release()
        page = creating.result()
    assert page.status in (404, 409)
    assert list(keys_of(owner.id)) == []


def test_a_user_never_exceeds_the_maximum_number_of_accounts(latchkey: TestApp, proxy: HoldingProxy) -> None:
    grace = new_account(name="Grace")
    full = {f"acc_{number:020}" for number in range(members.ACCOUNTS_MAX - 2)}
    tables.User(grace.user_id).update(actions=[tables.User.account_ids.add(full)])
    links = [invite(new_account(), grace.email) for _ in range(5)]
    user = tables.User.get(grace.user_id, consistent_read=True)
    opened = [invitations.open_link(link) for link in links]
    deeds = [partial(_outcome, partial(invitation_acceptance.accept, each, user)) for each in opened]
    assert sorted(release_together(proxy, is_transaction, deeds)) == ["Conflict"] * 4 + ["done"]
    assert len(tables.User.get(grace.user_id, consistent_read=True).account_ids) == members.ACCOUNTS_MAX


class Everywhere:
    """Sends one request from every process, which has cached the policies of its earlier requests."""

    def __init__(self, latchkey: TestApp, ten: Fleet, url: str) -> None:
        self.latchkey, self.ten, self.url = latchkey, ten, url

    def __call__(self, secret: str) -> set[int]:
        """Return the statuses of twenty responses, two from each process."""
        requests = [Request("GET", "/v1/users/me", secret, self.latchkey.clock.now_ms)] * TWENTY
        replies = self.ten.send(self.url, requests, (0,) * PROCESSES)
        assert sum(len(each) for each in replies) == TWENTY
        return {reply.status for each in replies for reply in each}


@pytest.fixture(scope="module")
def ten() -> Iterator[Fleet]:
    """Ten processes."""
    started = Fleet(PROCESSES)
    yield started
    started.stop()


@pytest.mark.parametrize("keys", member_removal.CHOICES)
def test_a_removed_member_is_refused_everywhere_at_the_next_request(
    latchkey: TestApp, ten: Fleet, url: str, keys: str
) -> None:
    """Ten processes have cached the policies of the member's key and token; a session is read with each page."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    secret, ask = latchkey.key(member, "read").secret, Everywhere(latchkey, ten, url)
    user = User(latchkey, account=member)
    user.log_in_again()
    app = register_client(latchkey, owner=latchkey.account(name="Publisher"))
    approved = user.decide(user.open_authorization(app), for_account=owner.id)
    token = app.redeem(query_of(approved.location)["code"], redirect_uri=app.redirect_uri).json()["access_token"]
    console = log_in_as(latchkey, member)
    assert (ask(secret), ask(token), console.open("/settings/usage").status) == ({200}, {200}, 200)
    latchkey.clock.forward(1)
    member_removal.remove(owner.membership.manager, member.user_id, keys)
    assert ask(secret) == ({401} if keys == member_removal.REVOKE else {200})
    assert ask(token) == {401}
    assert owner.name not in console.open("/settings/accounts").text
