"""Tokens of an ended client are rejected within 10 s, although their users aren't marked yet."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chalicelib.accounts import invalidation
from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError, Throttled, Unreachable
from chalicelib.credentials.ended_client_check import READ_EVERY_MS
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.revocation_check import RECENT_MS, admit_caller, admit_presented
from chalicelib.credentials.verify import verify
from chalicelib.limits import ended_clients
from chalicelib.limits.counter_items import TABLE
from chalicelib.oauth.tables import Client
from tests.oauth.flow import App, new_user, register_client
from tests.support.harness import TestApp

COUNT = "UpdateItem"
READ = "GetItem"
VERIFY = ["GetItem", "BatchGetItem"]


class TokenCaller:
    """A caller with an access token, whose principal API Gateway has cached a minute ago."""

    def __init__(self, latchkey: TestApp) -> None:
        """Verify a token of a new user of a new client."""
        self.app: App = register_client(latchkey)
        self.token, _ = new_user(latchkey).grant(self.app)
        self.cached = verify(self.token)
        latchkey.clock.forward(60)

    def call(self) -> Principal:
        """Admit a request with the cached principal."""
        principal, _ = admit_caller(self.cached, f"Bearer {self.token}")
        return principal

    def calls(self) -> list[str]:
        """Admit a request, and return the operations that this took."""
        with telemetry.record_calls() as calls:
            self.call()
        return [operation for operation, _ in calls.made]

    def end(self, deleted_at_ms: int | None = None) -> None:
        """End the client without marking its users, as if they were too many to be marked in time."""
        Client(self.app.id).update(actions=[Client.deleted_at.set(deleted_at_ms or clock.now_ms())])
        assert ended_clients.record([self.app.id])

    def reinstate(self) -> None:
        """Make the client active again."""
        Client(self.app.id).update(actions=[Client.deleted_at.remove()])


@pytest.fixture
def caller(latchkey: TestApp) -> TokenCaller:
    """A caller whose token was verified a minute ago."""
    return TokenCaller(latchkey)


@contextmanager
def fail_item(error: DynamoDBError, *, everything: bool = False) -> Iterator[None]:
    """Make reads of the ended clients fail, or with `everything` all calls."""
    send = dynamodb.sender()

    def failing(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        is_item = operation == "GetItem" and request["TableName"] == settings.current().table(TABLE)
        if everything or is_item:
            raise error
        return send(operation, request)

    with dynamodb.use_sender(failing):
        yield


THROTTLED = Throttled("ThrottlingException", "not today", {})
DENIED = DynamoDBError("AccessDeniedException", "not today", {})
SILENT = Unreachable("NoAnswer", "not today", {})


def test_token_costs_one_read_in_five_seconds(latchkey: TestApp, caller: TokenCaller) -> None:
    """The ended clients are read once in five seconds and process; a request in between costs its admission only."""
    assert caller.calls() == [READ, COUNT]
    latchkey.clock.now_ms += READ_EVERY_MS - 1
    assert caller.calls() == [COUNT]
    latchkey.clock.now_ms += 1
    assert caller.calls() == [READ, COUNT]


def test_key_costs_no_read(latchkey: TestApp) -> None:
    """A request with an API key costs its admission only, whenever the key was verified."""
    issued = latchkey.key(latchkey.account())
    cached = verify(issued.secret)
    for _ in range(3):
        latchkey.clock.forward(60)
        with telemetry.record_calls() as calls:
            admit_caller(cached, f"Bearer {issued.secret}")
        assert [operation for operation, _ in calls.made] == [COUNT]


@pytest.mark.parametrize(("age_ms", "reads"), [(RECENT_MS - 1, False), (RECENT_MS, True)])
def test_recently_verified_token_costs_no_read(latchkey: TestApp, age_ms: int, reads: bool) -> None:
    """A token whose verification is certainly younger than ten seconds costs no read."""
    caller = TokenCaller(latchkey)
    fresh = verify(caller.token)
    latchkey.clock.now_ms = fresh.verified_at_ms + age_ms
    caller.cached = fresh
    assert caller.calls() == ([READ, COUNT] if reads else [COUNT])


@pytest.mark.parametrize("skew_s", [-6, 0, 6])
def test_token_is_rejected_when_the_end_is_read(latchkey: TestApp, caller: TokenCaller, skew_s: int) -> None:
    """A process that read the ended clients just before an end rejects the token five seconds later, whatever the
    difference of the clocks.
    """
    caller.call()
    latchkey.clock.forward(skew_s)
    caller.end()
    latchkey.clock.forward(-skew_s)
    latchkey.clock.now_ms += READ_EVERY_MS
    for _ in range(2):
        with pytest.raises(errors.InvalidApiKey):
            caller.call()


def test_new_process_rejects_the_token_at_once(latchkey: TestApp, caller: TokenCaller) -> None:
    """A process that hasn't read the ended clients rejects the token at its first request."""
    caller.end()
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


@pytest.mark.parametrize("skew_s", [-6, 6])
def test_verification_just_before_the_end_is_repeated(latchkey: TestApp, skew_s: int) -> None:
    """A token that was verified a millisecond before the end, by a clock that differs by 6 s, is verified again."""
    caller = TokenCaller(latchkey)
    caller.cached = verify(caller.token)
    latchkey.clock.now_ms += 1
    latchkey.clock.forward(skew_s)
    caller.end()
    latchkey.clock.forward(-skew_s + 10)
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_end_after_a_verification_with_the_time_of_a_fast_mark_is_found(latchkey: TestApp, caller: TokenCaller) -> None:
    """A re-verified principal has the time of a mark, which may be 6 s ahead of the clock that records an end."""
    latchkey.clock.forward(6)
    invalidation.mark_account(caller.cached.account_id)
    latchkey.clock.forward(-6)
    caller.call()
    latchkey.clock.now_ms += 1
    caller.end()
    latchkey.clock.now_ms += READ_EVERY_MS
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_recent_mark_hides_no_end(latchkey: TestApp, caller: TokenCaller) -> None:
    """A token that this process verified again isn't taken for recently verified by the time of its mark, which may be
    ahead.
    """
    latchkey.clock.forward(6)
    invalidation.mark_account(caller.cached.account_id)
    latchkey.clock.forward(-6)
    caller.call()
    caller.end()
    latchkey.clock.now_ms += RECENT_MS
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_other_clients_are_not_verified_again(latchkey: TestApp, caller: TokenCaller) -> None:
    """The end of one client costs the tokens of others nothing."""
    TokenCaller(latchkey).end()
    assert caller.calls() == [READ, COUNT]


def test_reinstated_client_works_at_the_next_request(latchkey: TestApp, caller: TokenCaller) -> None:
    """A token of a reinstated client is accepted at the next request, and soon costs no verification any more."""
    caller.end()
    with pytest.raises(errors.InvalidApiKey):
        caller.call()
    caller.reinstate()
    assert caller.calls() == [*VERIFY, COUNT]
    assert caller.calls() == [COUNT]
    latchkey.clock.forward(20)
    assert caller.calls() == [READ, *VERIFY, COUNT]
    latchkey.clock.forward(20)
    assert caller.calls() == [READ, COUNT]


def test_client_that_ends_again_is_rejected_again(latchkey: TestApp, caller: TokenCaller) -> None:
    """A second end is found, even if its function's clock is behind that of the first."""
    caller.end()
    caller.reinstate()
    caller.call()
    latchkey.clock.forward(-6)
    caller.end()
    latchkey.clock.forward(6)
    latchkey.clock.now_ms += READ_EVERY_MS
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_overflow_verifies_each_token_once_in_five_seconds(latchkey: TestApp, caller: TokenCaller) -> None:
    """If too many clients have ended, the tokens of every client are verified again, and rejected if it has ended."""
    other = TokenCaller(latchkey)
    Client(other.app.id).update(actions=[Client.deleted_at.set(clock.now_ms())])
    ended_clients.record([f"app_{number}" for number in range(ended_clients.ENTRIES_MAX + 1)])
    assert caller.calls() == [READ, *VERIFY, COUNT]
    assert caller.calls() == [COUNT]
    with pytest.raises(errors.InvalidApiKey):
        other.call()


@pytest.mark.parametrize("error", [THROTTLED, DENIED], ids=["throttled", "denied"])
def test_unreadable_item_means_a_direct_verification(
    latchkey: TestApp, caller: TokenCaller, error: DynamoDBError
) -> None:
    """If the item can't be read, each token is verified directly, once in five seconds, and rejected after an end."""
    with fail_item(error):
        assert caller.calls() == [READ, *VERIFY, COUNT]
        assert caller.calls() == [COUNT]
        caller.end()
        latchkey.clock.now_ms += READ_EVERY_MS
        with pytest.raises(errors.InvalidApiKey):
            caller.call()


def test_outage_passes_tokens_like_keys(latchkey: TestApp, caller: TokenCaller) -> None:
    """If DynamoDB doesn't respond, a token is accepted as a key is, and for a second without a call."""
    with fail_item(SILENT, everything=True):
        assert caller.calls() == [READ, READ]
        assert caller.calls() == []
    latchkey.clock.forward(1)
    assert caller.calls() == [READ, COUNT]


def test_ended_client_is_not_accepted_in_an_outage(latchkey: TestApp, caller: TokenCaller) -> None:
    """A token of a client that has ended, as this process knows, isn't accepted if it can't be verified."""
    caller.end()
    with pytest.raises(errors.InvalidApiKey):
        caller.call()
    with fail_item(SILENT, everything=True), pytest.raises(Unreachable):
        caller.call()


def test_unverifiable_token_passes_if_the_item_is_unreadable(caller: TokenCaller) -> None:
    """If neither the item nor the token can be read, the token is accepted, because nothing says that it ended."""
    with fail_item(THROTTLED), pytest.MonkeyPatch.context() as patch:
        patch.setattr("chalicelib.credentials.ended_client_check.verify", _throttle)
        assert caller.call() == caller.cached


def _throttle(_secret: str, _resource: str) -> Principal:
    raise THROTTLED


def test_verification_keeps_the_later_time_of_a_mark(latchkey: TestApp, caller: TokenCaller) -> None:
    """A token that is verified again because of an end keeps the time of a mark, which would otherwise cost another
    verification.
    """
    invalidation.mark_account(caller.cached.account_id)
    assert caller.call().verified_at_ms == clock.now_ms()
    caller.end()
    caller.reinstate()
    latchkey.clock.now_ms += READ_EVERY_MS
    assert caller.calls() == [READ, *VERIFY, COUNT]


def test_token_that_another_service_presents_is_rejected(latchkey: TestApp, caller: TokenCaller) -> None:
    """A token that a service sends for verification, and whose principal is cached for 60 s, is rejected in time."""
    admit_presented(caller.token, "")
    latchkey.clock.now_ms += 1
    caller.end()
    latchkey.clock.now_ms += RECENT_MS
    with pytest.raises(errors.InvalidApiKey):
        admit_presented(caller.token, "")
