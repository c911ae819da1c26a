"""The burst limit under parallel requests: at most the burst is admitted in each second that a volley touches.

A volley starts right after a window: when the remaining burst increases, a new window has started, at the
earliest when the previous request was sent.
"""

import http.client
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

from chalicelib.api import responses
from chalicelib.core import errors
from infra.browser import connection_to
from infra.local_gateway.response import Response
from infra.smoke import compare, rights
from infra.smoke.credentials import as_sent, headers_of_limits
from infra.smoke.run import Run
from infra.smoke.throwaway import TIER, Account

REQUESTS, VOLLEYS = 192, 2
"""Requests per volley, over all connections, and number of volleys."""
PATH = "/v1/limits"
CONCURRENCY = "how many functions the account runs at a time"
LOOKS_EVERY_S, GIVEN_UP_AFTER_S = 0.02, 5
_BURST = re.compile(r'"burst";r=(\d+);')
_WINDOW = re.compile(r'"burst";q=\d+;w=(\d+)')


@dataclass(frozen=True, slots=True)
class Volley:
    """The responses to requests that were sent concurrently."""

    answers: list[Response]
    windows_touched: int

    @property
    def admitted(self) -> int:
        """Return the number of admitted requests."""
        return sum(answer.status == 200 for answer in self.answers)

    def counted(self) -> str:
        """Return the number of responses of each status, and why some requests have none."""
        kinds = Counter(str(answer.status or f"no answer ({answer.body.decode()})") for answer in self.answers)
        return ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))


def check(run: Run, account: Account) -> None:
    """Send volleys with one key; check the number of admitted requests, and every 429."""
    runs_at_once = _functions_at_once(run)
    for number in range(1, VOLLEYS + 1):
        volley = fire(run, account.key)
        judge(run, number, volley, runs_at_once)
        refused = [answer for answer in volley.answers if answer.status == 429]
        if refused:
            run.outcomes.judge("429, body and headers", sorted({found for each in refused for found in _wrong(each)}))
        else:
            run.outcomes.left_out("429, body and headers", "nothing was refused")
    # The following checks must not be limited by these requests.
    _new_window(run, account.key)


def _functions_at_once(run: Run) -> int | None:
    """Return the account's Lambda concurrency limit, None where it isn't known."""
    if run.target.is_deployed:
        import boto3

        with rights.asked(run.outcomes, CONCURRENCY):
            limit = boto3.client("lambda").get_account_settings()["AccountLimit"]
            return int(limit["UnreservedConcurrentExecutions"])
    return None


def judge(run: Run, number: int, volley: Volley, runs_at_once: int | None = None) -> None:
    """Check a volley, given the account's Lambda concurrency limit."""
    most = TIER.burst * volley.windows_touched
    name = f"volley {number} of {run.parallel} at once admits no more than the burst"
    if most < len(volley.answers):
        got = f"{volley.admitted} admitted"
        run.outcomes.expect(name, volley.admitted <= most, expected=f"{most} at most", got=got)
    else:
        run.outcomes.left_out(name, f"it took so long that each of its {len(volley.answers)} requests may pass")
    run.outcomes.seen(f"volley {number}", f"{volley.counted()}; windows of the burst touched: {volley.windows_touched}")
    others = Volley([answer for answer in volley.answers if answer.status not in (200, 429)], 0)
    name, is_small = "nothing but 200 and 429 under a burst", runs_at_once is not None and runs_at_once < run.parallel
    if is_small and others.answers and all(answer.status >= 500 for answer in others.answers):
        why = f"this account runs {runs_at_once} functions at a time, so not all of {run.parallel} requests have one"
        run.outcomes.left_out(name, f"{others.counted()}: {why}. Ask for more (docs/deploying.md, quotas)")
    else:
        run.outcomes.expect(name, not others.answers, expected="none", got=others.counted())


def fire(run: Run, key: str) -> Volley:
    """Send requests over open connections, right after a burst window has started."""
    headers = {"Authorization": f"Bearer {key}"}
    connections = [connection_to(run.target.url) for _ in range(run.parallel)]
    came: list[Response] = []
    start = threading.Event()
    threads = [threading.Thread(target=_shoot, args=(run, each, headers, start, came)) for each in connections]
    for thread in threads:
        thread.start()
    try:
        began_s, window_s = _new_window(run, key)
    finally:
        start.set()
        for thread in threads:
            thread.join()
    return Volley(came, int((time.monotonic() - began_s) // window_s) + 1)


def _shoot(
    run: Run,
    connection: http.client.HTTPConnection,
    headers: dict[str, str],
    start: threading.Event,
    came: list[Response],
) -> None:
    try:
        connection.connect()
        start.wait()
        for _ in range(REQUESTS // run.parallel):
            connection.request("GET", urlsplit(run.target.url).path + PATH, headers=headers)
            response = connection.getresponse()
            came.append(Response(response.status, response.getheaders(), response.read()))
    except (OSError, http.client.HTTPException) as error:
        came.append(Response(0, [], type(error).__name__.encode()))
    finally:
        connection.close()


def _new_window(run: Run, key: str) -> tuple[float, int]:
    """Wait for a burst window to start; return its earliest start and its length in seconds."""
    give_up_s = time.monotonic() + GIVEN_UP_AFTER_S
    sent_s, window_s, before = time.monotonic(), 1, -1
    while time.monotonic() < give_up_s:
        earlier_s, sent_s = sent_s, time.monotonic()
        answer = run.call("GET", PATH, key)
        left = _BURST.search(answer.header("RateLimit") or "")
        policy = _WINDOW.search(answer.header("RateLimit-Policy") or "")
        if left is None or policy is None:
            break
        window_s = int(policy[1])
        if 0 <= before < int(left[1]):
            return earlier_s, window_s
        before = int(left[1])
        time.sleep(LOOKS_EVERY_S)
    # The start isn't known: one more second may have been touched.
    return time.monotonic() - window_s, window_s


def _wrong(answer: Response) -> list[str]:
    """Return how a 429 differs from the documented one, with any valid Retry-After."""
    retry_after = answer.header("Retry-After") or ""
    if not retry_after.isdigit() or not int(retry_after):
        return [f"429: header Retry-After: expected whole seconds, got {retry_after or 'none'}"]
    refusal = errors.RateLimited(int(retry_after))
    headers = {"Content-Type": "application/json", **refusal.headers, **responses.cross_origin(), **headers_of_limits()}
    body = as_sent({"error": refusal.error, "message": refusal.message})
    return compare.differences(Response(429, list(headers.items()), body), answer)
