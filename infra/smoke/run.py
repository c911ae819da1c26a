"""One run: what is smoked, what was found, and how a request is sent there."""

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
"""Between two requests, so that a second holds fewer than the burst: a limit is met where it is looked for, only."""
JSON = {"Content-Type": "application/json"}
UNREACHABLE = (OSError, HTTPException)
"""What a request without an answer ends with."""
UNANSWERED_MAX = 3
"""After so many in a row no more is sent: each takes as long as a timeout."""


@dataclass
class Run:
    """What every check gets."""

    target: Target
    outcomes: Outcomes
    parallel: int = 64
    """How many connections a volley opens at once."""
    arrives_within_s: float = 40
    """How long log lines and traces are waited for."""
    started_s: float = field(default_factory=time.time)
    request_ids: list[str] = field(default_factory=list)
    """Of requests that a function answered: what its log must show."""
    account_id: str = ""
    """Whose requests they are."""
    is_traced: bool = False
    """Whether a request was sent that asks to be traced."""
    unanswered: int = 0
    """How many requests in a row got no answer."""
    sent_s: float = 0
    """When the last request went out."""
    trace_id: str = field(default_factory=lambda: f"1-{int(time.time()):08x}-{secrets.token_hex(12)}")
    """X-Ray's, of the one request that asks to be traced."""

    def call(
        self,
        method: str,
        path: str,
        key: str = "",
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | bytes | None = None,
    ) -> Response:
        """Send one request, with a key where one is given, and return its answer."""
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
        """Note what a `with` block ends with, and go on: a check that fails says nothing about the next.

        Any error is one line of the report. A traceback would end the run, and leave its account behind.
        """
        try:
            with rights.asked(self.outcomes, check):
                yield
        except Unanswered as error:
            self.outcomes.left_out(check, str(error))
        except Exception as error:
            rights.note(self.outcomes, check, error, expected="to come to its end", got=as_line(error))

    def judge(self, check: str, differences: Callable[[], list[str]]) -> None:
        """Make one check, and note its differences or that it holds."""
        with self.noted(check):
            self.outcomes.judge(check, differences())

    def _pace(self) -> None:
        time.sleep(max(0.0, self.sent_s + PACE_S - time.monotonic()))
        self.sent_s = time.monotonic()

    def browser(self) -> Browser:
        """Return a browser in which nobody is logged in."""
        return Browser(self.target.url)

    def hide(self, secret: str) -> str:
        """Keep a secret out of all that is said, and return it."""
        return self.outcomes.redaction.hide(secret)


class Failed(Exception):
    """A step that others need didn't succeed; the message says which, and what was answered."""


class Unanswered(Exception):
    """A request wasn't sent, because those before it got no answer."""


def as_line(error: Exception) -> str:
    """Return an error as part of a line."""
    told = str(error) if isinstance(error, (Failed, Unanswered)) else f"{type(error).__name__}: {error}"
    return " ".join(told.split())


def expect(status: int, what: str, answer: Response) -> Response:
    """Return an answer of this status; raise Failed for any other."""
    if answer.status != status:
        raise Failed(f"{what} was answered {answer.status}: {answer.body.decode('utf-8', 'replace')[:300]}")
    return answer


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let a `with` block come to its end: a second Ctrl-C would leave behind what the first asked to clean up."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
