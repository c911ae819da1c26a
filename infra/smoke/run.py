"""One smoke run: its target, its results, and how it sends a request."""

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
"""The pause between two requests, which keeps the run below the burst limit outside the checks of it."""
JSON = {"Content-Type": "application/json"}
UNREACHABLE = (OSError, HTTPException)
"""Exceptions of a request without a response."""
UNANSWERED_MAX = 3
"""No more requests are sent after so many timeouts in a row."""


@dataclass
class Run:
    """The context of all checks."""

    target: Target
    outcomes: Outcomes
    parallel: int = 64
    """The number of parallel connections of a volley."""
    arrives_within_s: float = 40
    """The timeout for log lines and traces."""
    started_s: float = field(default_factory=time.time)
    request_ids: list[str] = field(default_factory=list)
    """Request ids of requests that a function answered, which its log must contain."""
    account_id: str = ""
    """The account of these requests."""
    is_traced: bool = False
    """Whether a request with sampled tracing was sent."""
    unanswered: int = 0
    """The number of consecutive requests without a response."""
    sent_s: float = 0
    """The time of the last request."""
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
            raise Unanswered(f"not asked, since {UNANSWERED_MAX} requests in a row got no answer")
        try:
            answer = browser.call(method, self.target.url + path, sent, content)
        except UNREACHABLE:
            self.unanswered += 1
            raise
        self.unanswered = 0
        return answer

    @contextmanager
    def noted(self, check: str) -> Iterator[None]:
        """Record an exception of a `with` block and continue: a failed check doesn't affect the next.

        Any error is one line of the report. An uncaught one would end the run without deleting its account.
        """
        try:
            with rights.asked(self.outcomes, check):
                yield
        except Unanswered as error:
            self.outcomes.left_out(check, str(error))
        except Exception as error:
            rights.note(self.outcomes, check, error, expected="to come to its end", got=as_line(error))

    def judge(self, check: str, differences: Callable[[], list[str]]) -> None:
        """Run one check, and record its result."""
        with self.noted(check):
            self.outcomes.judge(check, differences())

    def _pace(self) -> None:
        time.sleep(max(0.0, self.sent_s + PACE_S - time.monotonic()))
        self.sent_s = time.monotonic()

    def browser(self) -> Browser:
        """Return a browser without a session."""
        return Browser(self.target.url)

    def hide(self, secret: str) -> str:
        """Redact a secret from all output, and return it."""
        return self.outcomes.redaction.hide(secret)


class Failed(Exception):
    """A prerequisite of other checks failed; the message says which, and the response."""


class Unanswered(Exception):
    """A request wasn't sent, because previous requests got no response."""


def as_line(error: Exception) -> str:
    """Return an error as part of a line."""
    message = str(error) if isinstance(error, (Failed, Unanswered)) else f"{type(error).__name__}: {error}"
    return " ".join(message.split())


def expect(status: int, what: str, answer: Response) -> Response:
    """Return a response of this status; raise Failed for any other."""
    if answer.status != status:
        raise Failed(f"{what} was answered {answer.status}: {answer.body.decode('utf-8', 'replace')[:300]}")
    return answer


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C in a `with` block: a second one would interrupt the clean-up."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
