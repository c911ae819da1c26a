"""The cost of a million requests of each kind of traffic, by AWS service.

Units, bytes and numbers are constants here; tests/engine/test_units.py and tests/infra/test_costs.py compare them with
measurements. Durations are assumptions, shown in the page.
"""

from dataclasses import dataclass

from infra.costs.prices import GB, MILLION, PRICES

API_GB, AUTHORIZER_GB, STREAM_GB = 1.0, 0.5, 0.5
"""As `.chalice/config.json` has them for prod; the functions of each minute and hour have what the stream's has."""
WARM_S, AUTHORIZER_S = 0.012, 0.012
"""Assumed duration of a warm request in Lambda: most of it waits for DynamoDB."""
RATE_LIMIT = 2_000
"""What the stage lets through to all callers together, in requests a second."""
METRICS = 19
"""How many names of metrics there are."""
TRACED = 0.05
"""X-Ray's default rule records the first request of each second and this share of the others."""

ACCESS_BYTES = 230
"""One line of the gateway's access log."""
GATEWAY_BYTES = 230
"""What API Gateway adds to the headers of an answer: its date, its request ids, its trace id."""
REQUEST_ID = "295eb08a-3f80-4275-9db3-03ce9c5b6973"
PLATFORM_LINES = (
    f"START RequestId: {REQUEST_ID} Version: $LATEST\nEND RequestId: {REQUEST_ID}\nREPORT RequestId: {REQUEST_ID}\t"
    "Duration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 1024 MB\tMax Memory Used: 112 MB\t\n"
)
"""What Lambda itself logs of each invocation."""
TRACE_FIELD = ',"xray_trace_id":"1-61c05620-bd862e3fe1be46a994272793"'
"""What a line of ours has in Lambda, and not where it is measured."""
INVOCATION_BYTES = len(PLATFORM_LINES) + len(TRACE_FIELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One kind of traffic: what one request of it makes happen, on average."""

    name: str
    invocations: float = 0
    gb_seconds: float = 0
    write_units: float = 0
    read_units: float = 0
    line_bytes: float = 0
    """The functions' own log lines."""
    answer_bytes: float = 0
    """Headers and body, without what the gateway adds."""
    billed: bool = True
    """Whether API Gateway charges for the request."""
    is_request: bool = True
    """Whether it comes through the gateway at all."""
    traced: float = TRACED
    """The share that X-Ray records: more than its default where fewer than some hundreds come in a second."""

    @property
    def logged_bytes(self) -> float:
        """Return all that is logged: the functions' lines, Lambda's, the gateway's."""
        return self.line_bytes + self.invocations * INVOCATION_BYTES + self.is_request * ACCESS_BYTES

    @property
    def sent_bytes(self) -> float:
        """Return what leaves for the internet."""
        return self.answer_bytes + self.is_request * GATEWAY_BYTES


BUSY = Shape(
    name="one key, busy: its verdict is cached",
    invocations=1,
    gb_seconds=API_GB * WARM_S,
    write_units=1,
    line_bytes=546,
    answer_bytes=931,
)
SHAPES = {
    "busy": BUSY,
    "many": Shape(
        name="many keys, each seen once in 5 minutes: every request asks the authorizer, too",
        invocations=2,
        gb_seconds=API_GB * WARM_S + AUTHORIZER_GB * AUTHORIZER_S,
        write_units=1,
        read_units=2,
        line_bytes=986,
        answer_bytes=931,
    ),
    "limited": Shape(
        name="over the limit: refused from memory",
        invocations=1,
        gb_seconds=API_GB * 0.002,
        line_bytes=570,
        answer_bytes=654,
    ),
    "random": Shape(
        name="random well-formed keys: the authorizer runs and reads; the gateway charges nothing for whom it refuses",
        invocations=1,
        gb_seconds=AUTHORIZER_GB * AUTHORIZER_S,
        read_units=1,
        line_bytes=317,
        answer_bytes=933,
        billed=False,
    ),
    "no_key": Shape(
        name="no key: refused by the gateway, which charges nothing for it",
        answer_bytes=834,
        billed=False,
    ),
    "unknown": Shape(name="an unknown path: answered by the gateway, which charges for it", answer_bytes=703),
    "refresh": Shape(
        name="refresh of an OAuth token",
        invocations=1,
        gb_seconds=API_GB * 0.03,
        write_units=12,
        read_units=2,
        line_bytes=524,
        answer_bytes=1_002,
    ),
    "client": Shape(
        name="client credentials: a token for a program",
        invocations=1,
        gb_seconds=API_GB * 0.02,
        write_units=3,
        read_units=1,
        line_bytes=524,
        answer_bytes=941,
    ),
    "webhook": Shape(
        name="a webhook's delivery, which arrives at the first try; the receiver takes 200 ms",
        invocations=1,
        gb_seconds=STREAM_GB * 0.25,
        write_units=9,
        read_units=4,
        line_bytes=466,
        answer_bytes=541,
        is_request=False,
    ),
}
FLOODS = ("random", "no_key", "unknown", "limited")
"""What strangers can send without end, by the names above."""


def traced_at(rate: float) -> float:
    """Return the share of so many requests a second that X-Ray records."""
    first = min(1, 1 / rate)
    return first + TRACED * (1 - first)


def per_million(shape: Shape) -> dict[str, float]:
    """Return what a million requests of a shape cost, by service."""
    return {
        "gateway": PRICES["api_gateway_per_million"] * (shape.is_request and shape.billed),
        "Lambda": PRICES["lambda_per_million"] * shape.invocations
        + PRICES["lambda_arm64_per_gb_second"] * shape.gb_seconds * MILLION,
        "DynamoDB": PRICES["dynamodb_write_units_per_million"] * shape.write_units
        + PRICES["dynamodb_read_units_per_million"] * shape.read_units,
        "logs": PRICES["logs_per_gb"] * shape.logged_bytes * MILLION / GB,
        "X-Ray": PRICES["xray_per_million_traces"] * shape.traced,
        "transfer": PRICES["transfer_out_per_gb"] * shape.sent_bytes * MILLION / GB,
    }
