"""Admissions during DynamoDB faults, which a proxy in front of the DynamoDB emulator injects."""

import io
import socket
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import fail_open, tiers
from infra.local_gateway.response import Response
from tests.engine import counters
from tests.engine.fault_proxy import (
    CONFLICT,
    CREDENTIAL_ERRORS,
    SERVER_ERROR,
    SERVICE_UNAVAILABLE,
    SILENT_FAULTS,
    THROTTLED,
    THROUGHPUT_EXCEEDED,
    Call,
    ConnectionFault,
    Fault,
    FaultProxy,
    Rule,
    fault_id,
    is_admission,
    is_batch_get_item,
    is_get_item,
)
from tests.engine.fleet import AT_ONCE, Fleet, Request, flatten
from tests.support.harness import START_MS, AccountOfTest, TestApp

UNANSWERED = [SERVER_ERROR, SERVICE_UNAVAILABLE, *ConnectionFault]
NEVER_DONE = [SERVER_ERROR, SERVICE_UNAVAILABLE, ConnectionFault.DROPPED, ConnectionFault.SILENT]
DONE_UNHEARD = [ConnectionFault.DROPPED_AFTER, ConnectionFault.SILENT_AFTER]


@pytest.fixture
def key(latchkey: TestApp) -> str:
    """The secret of a Free account's key whose policy the gateway has cached."""
    secret = latchkey.key(latchkey.account(tiers.FREE)).secret
    assert send_request(latchkey, secret).status == 200
    latchkey.clock.forward(1)
    return secret


def send_request(latchkey: TestApp, secret: str) -> Response:
    """Send a request whose only database call is its admission, and return the response."""
    return latchkey.call("GET", "/v1/limits", secret)


def read_remaining(response: Response) -> int:
    """Return the remaining quota in an admitted request's headers."""
    assert response.status == 200
    return int(response.header("X-RateLimit-Remaining") or -1)


@pytest.mark.parametrize("fault", [THROUGHPUT_EXCEEDED, THROTTLED], ids=fault_id)
def test_throttled_counter_is_a_429_for_one_second(
    latchkey: TestApp, proxy: FaultProxy, key: str, fault: Fault
) -> None:
    """If a counter is throttled, the request is rejected without a retry and isn't counted. Retry-After
    is one second.
    """
    with proxy.fail(is_admission, fault) as calls:
        refused = send_request(latchkey, key)
    assert (refused.status, refused.header("Retry-After")) == (429, "1")
    assert refused.json() == {
        "error": "rate_limit_exceeded",
        "message": "Rate limit exceeded. Try again in 1 seconds.",
    }
    assert len(calls) == 1
    assert read_remaining(send_request(latchkey, key)) == 998


def test_conflict_is_retried(latchkey: TestApp, proxy: FaultProxy, key: str) -> None:
    """A counter write that conflicts with a transaction is retried until it succeeds, and counts once."""
    with proxy.fail(is_admission, CONFLICT, times=5) as calls:
        assert read_remaining(send_request(latchkey, key)) == 998
    assert len(calls) == 6


@pytest.mark.parametrize("fault", [CONFLICT, *UNANSWERED], ids=fault_id)
def test_unavailable_counter_fails_open(
    latchkey: TestApp, proxy: FaultProxy, key: str, logged: io.StringIO, fault: Fault
) -> None:
    """If the counter is unavailable, the request is admitted and a metric counts the outage once. For a second, further
    requests are admitted without a call.
    """

    def decide(call: Call) -> Fault | None:
        if not is_admission(call):
            return None
        calls.append(call)
        if fault in SILENT_FAULTS:
            latchkey.clock.forward(dynamodb.READ_TIMEOUT_S)
        return fault

    calls: list[Call] = []
    with proxy.fail_by(decide):
        assert send_request(latchkey, key).status == 200
        tries = len(calls)
        assert tries == (dynamodb.FAIL_FAST.conflict if fault == CONFLICT else dynamodb.FAIL_FAST.unavailable)
        assert logged.getvalue().count('"LimiterUnavailable":1') == 1
        latchkey.clock.now_ms += fail_open.DURATION_MS - 1
        assert send_request(latchkey, key).status == 200
        assert len(calls) == tries
    latchkey.clock.now_ms += 1
    done_unheard = tries if fault in DONE_UNHEARD else 0
    assert read_remaining(send_request(latchkey, key)) == 998 - done_unheard
    assert logged.getvalue().count('"LimiterUnavailable":1') == 1


def test_refused_connection_fails_open(latchkey: TestApp, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection admits the request, like a missing response."""
    # The port is bound without listening, because another process could bind a free port.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        dynamodb.reset_connections()
        assert send_request(latchkey, key).status == 200


@pytest.mark.parametrize("fault", NEVER_DONE, ids=fault_id)
def test_counter_that_fails_once_counts_once(latchkey: TestApp, proxy: FaultProxy, key: str, fault: Fault) -> None:
    """A counter write that fails without being applied is retried and counts once."""
    with proxy.fail(is_admission, fault, times=1) as calls:
        assert read_remaining(send_request(latchkey, key)) == 998
    assert len(calls) == 2


@pytest.mark.parametrize("fault", CREDENTIAL_ERRORS, ids=fault_id)
@pytest.mark.parametrize("rule", [is_admission, is_get_item, is_batch_get_item])
def test_call_with_an_expired_signature_is_signed_again(
    latchkey: TestApp, proxy: FaultProxy, key: str, rule: Rule, fault: Fault
) -> None:
    """If the signature of a call has expired, for example while Lambda had frozen the process, the call is signed again
    and counts once.
    """
    secret = latchkey.key(latchkey.account(tiers.FREE)).secret
    with proxy.fail(rule, fault, times=1) as calls:
        response = send_request(latchkey, secret)
    assert (response.status, read_remaining(response)) == (200, 999)
    assert len(calls) == 2


@pytest.mark.parametrize("fault", DONE_UNHEARD, ids=fault_id)
def test_admission_with_a_lost_response_may_count_twice(
    latchkey: TestApp, proxy: FaultProxy, key: str, fault: Fault
) -> None:
    """A write whose response is lost is retried: the request is admitted once and counted twice."""
    with proxy.fail(is_admission, fault, times=1) as calls:
        assert read_remaining(send_request(latchkey, key)) == 997
    assert len(calls) == 2


@pytest.mark.parametrize("fault", DONE_UNHEARD, ids=fault_id)
def test_last_admission_with_a_lost_response_is_not_repeated(
    latchkey: TestApp, proxy: FaultProxy, fault: Fault
) -> None:
    """If the response to the quota's last admission is lost, its retry is rejected, so the quota is never exceeded."""
    account = latchkey.account(tiers.FREE)
    secret = latchkey.key(account).secret
    counters.set_used(account, 999)
    with proxy.fail(is_admission, fault, times=1):
        assert send_request(latchkey, secret).status == 429
    assert counters.read_used(account) == 1_000
    assert send_request(latchkey, secret).status == 429


def test_lost_responses_never_exceed_the_burst(latchkey: TestApp, proxy: FaultProxy) -> None:
    """If the first response to every request is lost, half of the burst is admitted and all of it is counted."""
    account = latchkey.account(tiers.FREE)
    secret = latchkey.key(account).secret
    with proxy.fail_by(fail_every_other(ConnectionFault.DROPPED_AFTER)):
        responses = Counter(send_request(latchkey, secret).status for _ in range(60))
    assert responses == {200: 25, 429: 35}
    assert counters.read_used(account) == 50


@pytest.mark.xdist_group("fleet")
@pytest.mark.parametrize("fault", [CONFLICT, SERVER_ERROR, ConnectionFault.DROPPED], ids=fault_id)
def test_burst_is_exact_though_every_other_write_fails(
    latchkey: TestApp, fleet: Fleet, proxy: FaultProxy, fault: Fault
) -> None:
    """Exactly the burst of each account is admitted, although the first write of each of 32 threads fails."""
    accounts, requests = build_crowd(latchkey)
    with proxy.fail_by(fail_every_other(fault)):
        replies = flatten(fleet.send(proxy.url, requests))
    assert Counter(reply.status for reply in replies) == {200: 100, 429: len(requests) - 100}
    assert [counters.read_used(account) for account in accounts] == [50, 50]


@pytest.mark.xdist_group("fleet")
def test_burst_is_never_exceeded_with_every_other_response_lost(
    latchkey: TestApp, fleet: Fleet, proxy: FaultProxy
) -> None:
    """No more than the burst of each account is admitted, although every other response to 32 threads is lost."""
    accounts, requests = build_crowd(latchkey)
    with proxy.fail_by(fail_every_other(ConnectionFault.DROPPED_AFTER)):
        replies = flatten(fleet.send(proxy.url, requests))
    # Each admitted request was counted twice.
    assert 0 < sum(reply.status == 200 for reply in replies) <= 50
    assert [counters.read_used(account) for account in accounts] == [50, 50]


def build_crowd(latchkey: TestApp) -> tuple[list[AccountOfTest], list[Request]]:
    """Return two accounts, and 128 requests within one second, in which each of the 32 threads has its own key."""
    accounts = [latchkey.account(tiers.FREE) for _ in range(2)]
    secrets = [latchkey.key(account).secret for _ in range(AT_ONCE // 2) for account in accounts]
    return accounts, [Request("GET", "/v1/limits", secret, START_MS) for _ in range(4) for secret in secrets]


def fail_every_other(fault: Fault) -> Callable[[Call], Fault | None]:
    """Fail every other admission write of each key; as each key has one thread, a request fails at most once."""
    writes: defaultdict[str, int] = defaultdict(int)

    def decide(call: Call) -> Fault | None:
        if not is_admission(call):
            return None
        counter = call.body["ExpressionAttributeNames"]["#counter"]
        writes[counter] += 1
        return fault if writes[counter] % 2 else None

    return decide
