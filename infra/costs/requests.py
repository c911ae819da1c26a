"""Calculate the cost of a million requests for each kind of traffic, by AWS service.

The consumed units and bytes are constants, which tests/engine/test_units.py and tests/infra/test_costs.py compare with
measured values. Durations are assumptions; docs/costs.md lists them.
"""

from dataclasses import dataclass

from infra.costs.prices import GB, MILLION, PRICES

API_GB, AUTHORIZER_GB, STREAM_GB = 1.0, 0.5, 0.5
"""The functions' memory in `.chalice/config.json` for prod. It is the same for the stream and scheduled functions."""
WARM_S, AUTHORIZER_S = 0.012, 0.012
"""The assumed duration of a warm invocation, most of which is waiting for DynamoDB."""
RATE_LIMIT = 2_000
"""The API Gateway stage's limit in requests per second, for all callers together."""
METRICS = 19
"""The number of custom metrics."""
TRACED = 0.05
"""The fraction of requests that X-Ray's default rule records, besides the first request of each second."""

ACCESS_BYTES = 230
"""The size of one line in API Gateway's access log."""
GATEWAY_BYTES = 230
"""The size of the headers that API Gateway adds to a response: date, request ids, trace id."""
REQUEST_ID = "295eb08a-3f80-4275-9db3-03ce9c5b6973"
PLATFORM_LINES = (
    f"START RequestId: {REQUEST_ID} Version: $LATEST\nEND RequestId: {REQUEST_ID}\nREPORT RequestId: {REQUEST_ID}\t"
    "Duration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 1024 MB\tMax Memory Used: 112 MB\t\n"
)
"""Lambda's own log lines for each invocation."""
TRACE_FIELD = ',"xray_trace_id":"1-61c05620-bd862e3fe1be46a994272793"'
"""A field that log lines contain only if the code runs in Lambda."""
INVOCATION_BYTES = len(PLATFORM_LINES) + len(TRACE_FIELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A kind of traffic, with the resources that one request consumes on average."""

    name: str
    invocations: float = 0
    gb_seconds: float = 0
    write_units: float = 0
    read_units: float = 0
    line_bytes: float = 0
    """The size of the functions' own log lines."""
    answer_bytes: float = 0
    """The size of the response, without the headers that API Gateway adds."""
    billed: bool = True
    """Whether API Gateway charges for the request."""
    is_request: bool = True
    """Whether the traffic passes through API Gateway; scheduled runs don't."""
    traced: float = TRACED
    """The fraction of requests that X-Ray records. At low request rates, it exceeds the default."""

    @property
    def logged_bytes(self) -> float:
        """Return the size of all log lines: those of the functions, of Lambda and of API Gateway."""
        return self.line_bytes + self.invocations * INVOCATION_BYTES + self.is_request * ACCESS_BYTES

    @property
    def sent_bytes(self) -> float:
        """Return the bytes transferred to the internet."""
        return self.answer_bytes + self.is_request * GATEWAY_BYTES


BUSY = Shape(
    name="one busy key: the authorizer's policy is cached",
    invocations=1,
    gb_seconds=API_GB * WARM_S,
    write_units=1,
    line_bytes=546,
    answer_bytes=931,
)
SHAPES = {
    "busy": BUSY,
    "many": Shape(
        name="many keys, each used once in 5 minutes: every request invokes the authorizer",
        invocations=2,
        gb_seconds=API_GB * WARM_S + AUTHORIZER_GB * AUTHORIZER_S,
        write_units=1,
        read_units=4,
        line_bytes=986,
        answer_bytes=931,
    ),
    "limited": Shape(
        name="over the limit: rejected from the local cache",
        invocations=1,
        gb_seconds=API_GB * 0.002,
        line_bytes=570,
        answer_bytes=654,
    ),
    "random": Shape(
        name="random well-formed keys: the authorizer runs and reads; API Gateway doesn't charge for rejected requests",
        invocations=1,
        gb_seconds=AUTHORIZER_GB * AUTHORIZER_S,
        read_units=1,
        line_bytes=317,
        answer_bytes=933,
        billed=False,
    ),
    "no_key": Shape(
        name="no key: rejected by API Gateway, free of charge",
        answer_bytes=834,
        billed=False,
    ),
    "unknown": Shape(name="an unknown path: answered and charged by API Gateway", answer_bytes=703),
    "refresh": Shape(
        name="refresh of an OAuth token",
        invocations=1,
        gb_seconds=API_GB * 0.03,
        write_units=16,
        read_units=2,
        line_bytes=524,
        answer_bytes=1_002,
    ),
    "client": Shape(
        name="an OAuth client credentials request",
        invocations=1,
        gb_seconds=API_GB * 0.02,
        write_units=3,
        read_units=1,
        line_bytes=524,
        answer_bytes=941,
    ),
    "webhook": Shape(
        name="a webhook delivery that succeeds at the first attempt, in 200 ms",
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
"""Requests that anonymous callers can send without a limit."""


def traced_at(rate: float) -> float:
    """Return the fraction of requests that X-Ray records at a rate in requests per second."""
    first = min(1, 1 / rate)
    return first + TRACED * (1 - first)


def per_million(shape: Shape) -> dict[str, float]:
    """Return the cost of a million requests, by AWS service."""
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
