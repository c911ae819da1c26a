"""Make one delivery attempt: sign, send and report the outcome. Only a 2xx response within 15 seconds is a success."""

from dataclasses import dataclass

from chalicelib.core import clock, settings, ssrf_rule, ssrf_safe_fetch
from chalicelib.webhooks import payload, retry_schedule, signing
from chalicelib.webhooks.retry_schedule import GONE
from chalicelib.webhooks.tables import Attempt, Delivery, Endpoint

DEADLINE_S = 15
MANUAL_DEADLINE_S = 5
"""The deadline of a manual send. It is shorter than that of other sends, because a user is waiting and a function is
occupied.
"""
RESPONSE_BYTES_KEPT = 1_000
"""The number of bytes of the response body that are stored, for debugging."""
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt."""

    at_ms: int
    took_ms: int
    status: int | None
    answer: str | None = None
    problem: str | None = None
    not_before_ms: int = 0
    """The earliest time for a retry, from the receiver's Retry-After; 0 if the response has no such header."""

    @property
    def is_delivered(self) -> bool:
        """Return whether the response was 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_unreachable(self) -> bool:
        """Return whether no HTTP response was received. If so, other deliveries to the endpoint need not be attempted
        now.
        """
        return self.status is None

    @property
    def is_gone(self) -> bool:
        """Return whether the response was 410 Gone."""
        return self.status == GONE

    def to_attempt(self) -> Attempt:
        """Return the attempt as it is stored with its delivery."""
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
    """Attempt a delivery once. Raises RootKeyUnavailable when the root key for the signature is missing."""
    at_ms, started_ns = clock.now_ms(), clock.elapsed_ns()
    body = payload.body_of(delivery).encode()
    signature_headers = signing.headers(delivery.id, at_ms // 1000, body, signing.keys_of(endpoint))
    try:
        response = ssrf_safe_fetch.post(
            endpoint.url,
            body,
            {"Content-Type": JSON, "Accept": "*/*", **signature_headers},
            deadline_s=deadline_s,
            bytes_max=RESPONSE_BYTES_KEPT,
            loopback=is_local(),
            resolver=resolver,
        )
    except ssrf_safe_fetch.FetchError as error:
        return Outcome(at_ms, _since_ms(started_ns), None, problem=str(error))
    text = response.body.decode("utf-8", "replace") or None
    not_before_ms = retry_schedule.parse_retry_after_ms(response.headers.get("retry-after", ""), clock.now_ms())
    return Outcome(at_ms, _since_ms(started_ns), response.status, text, _problem(response.status), not_before_ms)


def is_local() -> bool:
    """Return whether receivers on this machine are allowed. They are allowed only in a local run, whose public URL is
    on this machine.
    """
    return ssrf_rule.is_loopback_url(settings.current().public_url)


def _problem(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return "The endpoint responded with a redirect, which is not followed."
    return "The endpoint responded with 410 Gone." if status == GONE else f"The endpoint responded with {status}."


def _since_ms(started_ns: int) -> int:
    return (clock.elapsed_ns() - started_ns) // 1_000_000
