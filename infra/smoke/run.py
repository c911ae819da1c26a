"""The context of a smoke run: its target and its results. All checks send their requests through a `Run`."""

import json
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from infra import browser
from infra.browser import Browser
from infra.local_gateway.response import Response
from infra.smoke import rights
from infra.smoke.outcomes import Outcomes
from infra.smoke.target import Target

PACE_S = 0.025
"""The pause between two requests, which keeps the run below the burst limit, except in the checks of that limit."""
JSON = {"Content-Type": "application/json"}
UNREACHABLE = (OSError, HTTPException)
"""The exceptions of a request that gets no response."""
UNANSWERED_MAX = 3
"""The maximum number of consecutive unanswered requests. After these, the run sends no more requests."""


@dataclass
class Run:
    """The state of a run, which all checks share."""

    target: Target
    outcomes: Outcomes
    parallel: int = 64
    """The number of parallel connections in the check of the burst limit."""
    arrives_within_s: float = 40
    """The timeout (s) for the arrival of log lines and traces."""
    started_s: float = field(default_factory=time.time)
    request_ids: list[str] = field(default_factory=list)
    """The ids of requests that a function handled, which the function's log must contain."""
    account_id: str = ""
    """The id of the run's account, whose requests the log must contain."""
    is_traced: bool = False
    """Whether a request with sampled tracing was sent."""
    unanswered: int = 0
    """The number of consecutive requests without a response."""
    sent_s: float = 0
    """The time at which the last request was sent."""
    trace_id: str = field(default_factory=lambda: f"1-{int(time.time()):08x}-{secrets.token_hex(12)}")
    """The X-Ray trace id of the traced request."""

    def call(
        self,
        method: str,
        path: str,
        key: str = "",
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | bytes | None = None,
    ) -> Response:
        """Send one request, with a key if one is given, and return its response."""
        self._pace()
        sent = dict(headers or {})
        if key:
            sent["Authorization"] = f"Bearer {key}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        if content and "Content-Type" not in sent:
            sent |= JSON
        if self.unanswered >= UNANSWERED_MAX:
            raise Unanswered(f"not sent, since {UNANSWERED_MAX} requests in a row got no response")
        try:
            response = browser.call(method, self.target.url + path, sent, content)
        except UNREACHABLE:
            self.unanswered += 1
            raise
        self.unanswered = 0
        return response

    @contextmanager
    def record_errors(self, check: str) -> Iterator[None]:
        """Record any exception of a `with` block as a line in the report, and continue with the next check."""
        try:
            with rights.record_errors(self.outcomes, check):
                yield
        except Unanswered as error:
            self.outcomes.left_out(check, str(error))
        except Exception as error:
            rights.record(self.outcomes, check, error, expected="the check to complete", got=as_line(error))

    def judge(self, check: str, differences: Callable[[], list[str]]) -> None:
        """Run one check, and record its result."""
        with self.record_errors(check):
            self.outcomes.judge(check, differences())

    def _pace(self) -> None:
        time.sleep(max(0.0, self.sent_s + PACE_S - time.monotonic()))
        self.sent_s = time.monotonic()

    def browser(self) -> Browser:
        """Return a new browser, which has no session."""
        return Browser(self.target.url)

    def hide(self, secret: str) -> str:
        """Redact a secret from all output, and return it."""
        return self.outcomes.redaction.hide(secret)


class Failed(Exception):
    """A step has failed, and later checks depend on it. The message names the step and the response."""


class Unanswered(Exception):
    """A request wasn't sent, because previous requests got no response."""


def as_line(error: Exception) -> str:
    """Return an error's message without line breaks."""
    message = str(error) if isinstance(error, (Failed, Unanswered)) else f"{type(error).__name__}: {error}"
    return " ".join(message.split())


def expect(status: int, request: str, response: Response) -> Response:
    """Return a response that has the expected status; raise Failed for any other."""
    if response.status != status:
        raise Failed(f"{request} returned {response.status}: {response.body.decode('utf-8', 'replace')[:300]}")
    return response


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C in a `with` block, so that a second Ctrl-C doesn't interrupt the clean-up."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
