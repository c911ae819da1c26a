"""Check with batches of parallel requests that no burst window admits more requests than the burst limit.

Each batch starts right after a burst window does, so that it spans as few windows as possible. An increase in the
remaining burst shows that a new window has started since the previous request was sent.
"""

import http.client
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

from chalicelib.api.responses import cross_origin
from chalicelib.core import errors
from infra.browser import connection_to
from infra.local_gateway.response import Response
from infra.smoke import compare, rights
from infra.smoke.credentials import as_sent, headers_of_limits
from infra.smoke.run import Run
from infra.smoke.throwaway import TIER, Account

REQUESTS, VOLLEYS = 192, 2
"""The number of requests in a batch, over all connections, and the number of batches."""
PATH = "/v1/limits"
CONCURRENCY = "the account's Lambda concurrency limit"
LOOKS_EVERY_S, GIVEN_UP_AFTER_S = 0.02, 5
_BURST = re.compile(r'"burst";r=(\d+);')
_WINDOW = re.compile(r'"burst";q=\d+;w=(\d+)')


@dataclass(frozen=True, slots=True)
class Volley:
    """The responses to one batch of parallel requests."""

    responses: list[Response]
    windows_touched: int

    @property
    def admitted(self) -> int:
        """Return the number of admitted requests."""
        return sum(response.status == 200 for response in self.responses)

    def describe(self) -> str:
        """Return the number of responses by status, and of requests without a response by their error."""
        kinds = Counter(str(each.status or f"no response ({each.body.decode()})") for each in self.responses)
        return ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))


def check(run: Run, account: Account) -> None:
    """Send batches of requests with one key, and check the number of admitted requests and every 429."""
    concurrency = _concurrency_limit(run)
    for number in range(1, VOLLEYS + 1):
        volley = fire(run, account.key)
        judge(run, number, volley, concurrency)
        rejected = [response for response in volley.responses if response.status == 429]
        if rejected:
            found = sorted({found for each in rejected for found in _compare_429(each)})
            run.outcomes.judge("429, body and headers", found)
        else:
            run.outcomes.left_out("429, body and headers", "no request was rejected")
    # Wait for a new window, so that the requests of the following checks aren't rejected.
    _await_window(run, account.key)


def _concurrency_limit(run: Run) -> int | None:
    """Return the account's Lambda concurrency limit, None if it isn't known."""
    if run.target.is_deployed:
        import boto3

        with rights.record_errors(run.outcomes, CONCURRENCY):
            limit = boto3.client("lambda").get_account_settings()["AccountLimit"]
            return int(limit["UnreservedConcurrentExecutions"])
    return None


def judge(run: Run, number: int, volley: Volley, concurrency: int | None = None) -> None:
    """Check the responses to a batch. Skip a check that the account's Lambda concurrency limit makes impossible."""
    most = TIER.burst * volley.windows_touched
    name = f"volley {number} over {run.parallel} connections admits no more than the burst"
    if most < len(volley.responses):
        got = f"{volley.admitted} admitted"
        run.outcomes.expect(name, volley.admitted <= most, expected=f"{most} at most", got=got)
    else:
        run.outcomes.left_out(name, f"it took so long that all {len(volley.responses)} requests may be admitted")
    run.outcomes.seen(f"volley {number}", f"{volley.describe()}; burst windows touched: {volley.windows_touched}")
    others = Volley([response for response in volley.responses if response.status not in (200, 429)], 0)
    name, is_small = "only 200 and 429 during a volley", concurrency is not None and concurrency < run.parallel
    if is_small and others.responses and all(response.status >= 500 for response in others.responses):
        why = f"the account's Lambda concurrency limit of {concurrency} is below the {run.parallel} connections"
        run.outcomes.left_out(name, f"{others.describe()}: {why}. Request a higher quota (docs/deploying.md, quotas)")
    else:
        run.outcomes.expect(name, not others.responses, expected="no other status", got=others.describe())


def fire(run: Run, key: str) -> Volley:
    """Send parallel requests over open connections, right after a burst window has started."""
    headers = {"Authorization": f"Bearer {key}"}
    connections = [connection_to(run.target.url) for _ in range(run.parallel)]
    responses: list[Response] = []
    start = threading.Event()
    threads = [threading.Thread(target=_send, args=(run, each, headers, start, responses)) for each in connections]
    for thread in threads:
        thread.start()
    try:
        began_s, window_s = _await_window(run, key)
    finally:
        start.set()
        for thread in threads:
            thread.join()
    return Volley(responses, int((time.monotonic() - began_s) // window_s) + 1)


def _send(
    run: Run,
    connection: http.client.HTTPConnection,
    headers: dict[str, str],
    start: threading.Event,
    responses: list[Response],
) -> None:
    try:
        connection.connect()
        start.wait()
        for _ in range(REQUESTS // run.parallel):
            connection.request("GET", urlsplit(run.target.url).path + PATH, headers=headers)
            response = connection.getresponse()
            responses.append(Response(response.status, response.getheaders(), response.read()))
    except (OSError, http.client.HTTPException) as error:
        responses.append(Response(0, [], type(error).__name__.encode()))
    finally:
        connection.close()


def _await_window(run: Run, key: str) -> tuple[float, int]:
    """Wait until a burst window starts. Return the earliest time at which it can have started, and its length (s)."""
    give_up_s = time.monotonic() + GIVEN_UP_AFTER_S
    sent_s, window_s, before = time.monotonic(), 1, -1
    while time.monotonic() < give_up_s:
        earlier_s, sent_s = sent_s, time.monotonic()
        response = run.call("GET", PATH, key)
        left = _BURST.search(response.header("RateLimit") or "")
        policy = _WINDOW.search(response.header("RateLimit-Policy") or "")
        if left is None or policy is None:
            break
        window_s = int(policy[1])
        if 0 <= before < int(left[1]):
            return earlier_s, window_s
        before = int(left[1])
        time.sleep(LOOKS_EVERY_S)
    # The start of the window isn't known, so assume the earliest one.
    return time.monotonic() - window_s, window_s


def _compare_429(response: Response) -> list[str]:
    """Return how a 429 differs from the documented one; any valid Retry-After is accepted."""
    retry_after = response.header("Retry-After") or ""
    if not retry_after.isdigit() or not int(retry_after):
        return [f"429: header Retry-After: expected whole seconds, got {retry_after or 'none'}"]
    error = errors.RateLimited(int(retry_after))
    headers = {"Content-Type": "application/json", **error.headers, **cross_origin(), **headers_of_limits()}
    body = as_sent({"error": error.error, "message": error.message})
    return compare.differences(Response(429, list(headers.items()), body), response)
