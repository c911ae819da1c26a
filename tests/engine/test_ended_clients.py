"""No token is accepted later than 10 s after the end of its client, in ten processes that have cached its policy,
although its user isn't marked yet.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from chalicelib.accounts import change, invalidation, states
from chalicelib.core import clock, ids
from chalicelib.jobs.progress import BATCH
from chalicelib.limits import ended_clients
from chalicelib.oauth import delete_any_client, delete_client, grants
from tests.engine.fleet import Fleet, Reply, Request
from tests.oauth.flow import App, User, new_user, register_client
from tests.support.console_client import new_account
from tests.support.harness import AccountOfTest, TestApp

pytestmark = pytest.mark.xdist_group("ended_clients")

PROCESSES = 10
CLOCKS = {
    "clocks_agree": (0,) * PROCESSES,
    "clocks_differ": (-3, -2, -1, 0, 1, 2, 3, -3, 0, 3),
    "end_by_the_slowest": (0, 1, 2, 3, 4, 5, 6, 6, 6, 6),
    "end_by_the_fastest": (0, -1, -2, -3, -4, -5, -6, -6, -6, -6),
}
"""The clock skew of each process in seconds. The clock of the process that ends the client is right."""


@pytest.fixture(scope="module")
def ten() -> Iterator[Fleet]:
    """Ten processes."""
    started = Fleet(PROCESSES)
    yield started
    started.stop()


@dataclass
class Everywhere:
    """A sender of one request from each process."""

    latchkey: TestApp
    ten: Fleet
    url: str
    clocks_off_s: Sequence[int]

    def __call__(self, token: str) -> set[int]:
        """Return the statuses of the ten responses to a request with a token at the time of the app's clock."""
        request = Request("GET", "/v1/limits", token, self.latchkey.clock.now_ms)
        replies: list[list[Reply]] = self.ten.send(self.url, [request] * PROCESSES, self.clocks_off_s)
        assert [len(each) for each in replies] == [1] * PROCESSES
        return {each.status for (each,) in replies}


@pytest.fixture(params=list(CLOCKS.values()), ids=list(CLOCKS))
def ask(request: pytest.FixtureRequest, latchkey: TestApp, ten: Fleet, url: str) -> Everywhere:
    """Return a sender to all processes, with and without clock skew."""
    latchkey.clock.forward(clock.HOUR_S / 2)
    return Everywhere(latchkey, ten, url, request.param)


@dataclass
class Popular:
    """A client with so many users that the request that ends it doesn't reach the last ones."""

    owner: AccountOfTest
    app: App
    last: User
    token: str

    def is_last_marked(self, since_ms: int) -> bool:
        """Return whether the last user's cached policies are invalidated."""
        return invalidation.is_marked(self.last.account.id, since_ms)


def popular_client(latchkey: TestApp) -> Popular:
    """Register a client with 51 users; the last one has a token."""
    owner = new_account(name="Owner")
    app = register_client(latchkey, owner=owner)
    for _ in range(BATCH):
        grants.new(ids.new("acc"), ids.new("usr"), app.id, scopes={"read"}, resources=set()).save()
    latchkey.clock.forward(0.01)
    last = new_user(latchkey)
    token, _ = last.grant(app)
    return Popular(owner, app, last, token)


def _delete(client: Popular) -> None:
    delete_client.delete(client.app.client)


def _delete_any(client: Popular) -> None:
    delete_any_client.delete(client.app.id, actor="operator", reason="Phishing")


def _suspend(client: Popular) -> None:
    change.set_tier_and_status(client.owner.id, tier=None, status=states.SUSPENDED, actor="operator")


def _delete_account(client: Popular) -> None:
    owner = User(client.app.latchkey, account=client.owner)
    owner.log_in_again()
    owner.delete_account()


End = Callable[[Popular], None]
ENDS: dict[str, End] = {
    "client_deleted": _delete,
    "client_deleted_by_the_operator": _delete_any,
    "account_suspended": _suspend,
    "account_deleted": _delete_account,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
@pytest.mark.parametrize("cached_for_s", [0.001, 4, 60, 270])
def test_token_of_an_ended_client_is_rejected_everywhere_after_10_s(
    latchkey: TestApp, ask: Everywhere, end: End, cached_for_s: float
) -> None:
    """Ten seconds after a client ended, no process accepts a token of a user who isn't marked yet, although each one
    accepted it a millisecond before the end. It stays rejected until the cached policies expire.
    """
    client = popular_client(latchkey)
    assert ask(client.token) == {200}
    latchkey.clock.forward(cached_for_s)
    assert ask(client.token) == {200}
    latchkey.clock.now_ms += 1
    ended_at_ms = clock.now_ms()
    end(client)
    assert not client.is_last_marked(ended_at_ms)
    latchkey.clock.forward(10)
    assert ask(client.token) == {401}
    latchkey.clock.forward(19)
    assert ask(client.token) == {401}
    assert not client.is_last_marked(ended_at_ms)


@pytest.mark.parametrize("ask", [CLOCKS["clocks_agree"]], indirect=True, ids=["clocks_agree"])
def test_token_is_rejected_five_seconds_after_the_end_if_clocks_agree(latchkey: TestApp, ask: Everywhere) -> None:
    """If the clocks agree, the token is rejected when the ended clients are read again, after five seconds."""
    client = popular_client(latchkey)
    ask(client.token)
    latchkey.clock.forward(60)
    assert ask(client.token) == {200}
    _delete(client)
    latchkey.clock.forward(4.999)
    assert ask(client.token) == {200}
    latchkey.clock.forward(0.001)
    assert ask(client.token) == {401}


def test_token_of_a_reinstated_client_is_accepted_at_the_next_request(latchkey: TestApp, ask: Everywhere) -> None:
    """After a suspension that every process noticed, the token is accepted at the next request after the
    reinstatement, and rejected again within 10 s after a second suspension.
    """
    client = popular_client(latchkey)
    assert ask(client.token) == {200}
    for _ in range(2):
        latchkey.clock.forward(30)
        assert ask(client.token) == {200}
        _suspend(client)
        latchkey.clock.forward(10)
        assert ask(client.token) == {401}
        change.set_tier_and_status(client.owner.id, tier=None, status=states.ACTIVE, actor="operator")
        assert ask(client.token) == {200}


def test_token_is_rejected_everywhere_after_an_overflow(latchkey: TestApp, ask: Everywhere) -> None:
    """If so many clients end that one time replaces them, the bound is the same, and other clients' tokens work."""
    client, other = popular_client(latchkey), popular_client(latchkey)
    assert ask(client.token) == ask(other.token) == {200}
    latchkey.clock.forward(30)
    assert ask(client.token) == ask(other.token) == {200}
    _delete(client)
    ended_clients.record(f"app_{number}" for number in range(ended_clients.ENTRIES_MAX))
    latchkey.clock.forward(10)
    assert (ask(client.token), ask(other.token)) == ({401}, {200})
