"""One attempt: sign, send, and say what came of it. Anything but a 2xx within 15 seconds is a failure."""

from dataclasses import dataclass

from chalicelib.core import clock, settings, ssrf_rule, ssrf_safe_fetch
from chalicelib.webhooks import payload, retry_schedule, signing
from chalicelib.webhooks.retry_schedule import GONE
from chalicelib.webhooks.tables import Attempt, Delivery, Endpoint

DEADLINE_S = 15
BY_HAND_S = 5
"""Somebody waits, and holds a function while they do."""
ANSWER_BYTES_MAX = 1_000
"""So much of an answer is kept, for whoever looks for what went wrong."""
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt."""

    at_ms: int
    took_ms: int
    status: int | None
    answer: str | None = None
    problem: str | None = None
    not_before_ms: int = 0
    """Before when the receiver asked not to be tried again; 0 when it didn't."""

    @property
    def is_delivered(self) -> bool:
        """Tell whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_silent(self) -> bool:
        """Tell whether nobody answered at all: what else waits for this endpoint needn't be tried now."""
        return self.status is None

    @property
    def is_gone(self) -> bool:
        """Tell whether the receiver wants no more."""
        return self.status == GONE

    def record(self) -> Attempt:
        """Return it as it is kept."""
        return Attempt(  # type: ignore[no-untyped-call]  # pynamodb's own
            at=self.at_ms, took_ms=self.took_ms, status=self.status, answer=self.answer, problem=self.problem
        )


def send(
    endpoint: Endpoint,
    delivery: Delivery,
    resolver: ssrf_rule.Resolve = ssrf_rule.resolve,
    *,
    deadline_s: float = DEADLINE_S,
) -> Outcome:
    """Send a delivery to its endpoint once. Raises NoStageKey when there is nothing to sign with."""
    at_ms, started_ns = clock.now_ms(), clock.elapsed_ns()
    body = payload.body_of(delivery).encode()
    vouched = signing.headers(delivery.id, at_ms // 1000, body, signing.keys_of(endpoint))
    try:
        answer = ssrf_safe_fetch.post(
            endpoint.url,
            body,
            {"Content-Type": JSON, "Accept": "*/*", **vouched},
            deadline_s=deadline_s,
            bytes_max=ANSWER_BYTES_MAX,
            loopback=is_local(),
            resolver=resolver,
        )
    except ssrf_safe_fetch.FetchError as error:
        return Outcome(at_ms, _since_ms(started_ns), None, problem=str(error))
    text = answer.body.decode("utf-8", "replace") or None
    asked_ms = retry_schedule.asked_for_ms(answer.headers.get("retry-after", ""), clock.now_ms())
    return Outcome(at_ms, _since_ms(started_ns), answer.status, text, _problem(answer.status), asked_ms)


def is_local() -> bool:
    """Tell whether this is a local run, whose receivers may listen on this machine: it is one that its own URL says."""
    return ssrf_rule.is_on_this_machine(settings.current().public_url)


def _problem(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return "It answers with a redirect, and none is followed."
    return "It wants no more." if status == GONE else f"It answers {status}."


def _since_ms(started_ns: int) -> int:
    return (clock.elapsed_ns() - started_ns) // 1_000_000
