"""What requests, storage and an idle stage cost, by the prices in `prices.json`; `costs_page.py` writes it down.

Units, bytes and numbers are constants here, and tests/engine/test_units.py and tests/infra/test_costs.py hold them to
what they measure. Durations are assumptions, shown in the page.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from infra import data

ROOT = Path(__file__).parent.parent
PRICES = json.loads((ROOT / "infra" / "prices.json").read_text())
GB, MILLION = 2**30, 1e6
DAY_S, MINUTES, HOURS = 24 * 3600, 30 * 24 * 60, 30 * 24
"""A month has 30 days."""

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
    name="one busy key: its policy is cached",
    invocations=1,
    gb_seconds=API_GB * WARM_S,
    write_units=1,
    line_bytes=546,
    answer_bytes=931,
)
SHAPES = {
    "busy": BUSY,
    "many": Shape(
        name="many keys, each used once in 5 minutes: every request also calls the authorizer",
        invocations=2,
        gb_seconds=API_GB * WARM_S + AUTHORIZER_GB * AUTHORIZER_S,
        write_units=1,
        read_units=2,
        line_bytes=986,
        answer_bytes=931,
    ),
    "limited": Shape(
        name="over the limit: rejected from memory",
        invocations=1,
        gb_seconds=API_GB * 0.002,
        line_bytes=570,
        answer_bytes=654,
    ),
    "random": Shape(
        name="random well-formed keys: the authorizer runs and reads; the gateway charges nothing for denied requests",
        invocations=1,
        gb_seconds=AUTHORIZER_GB * AUTHORIZER_S,
        read_units=1,
        line_bytes=317,
        answer_bytes=933,
        billed=False,
    ),
    "no_key": Shape(
        name="no key: rejected by the gateway, free of charge",
        answer_bytes=834,
        billed=False,
    ),
    "unknown": Shape(name="an unknown path: answered by the gateway, charged", answer_bytes=703),
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
        name="client credentials: a token for a service",
        invocations=1,
        gb_seconds=API_GB * 0.02,
        write_units=3,
        read_units=1,
        line_bytes=524,
        answer_bytes=941,
    ),
    "webhook": Shape(
        name="a webhook delivery that succeeds at the first attempt; the receiver takes 200 ms",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a function does that no request started."""

    seconds: float
    write_units: float
    read_units: float
    line_bytes: float


MINUTE = Run(seconds=0.2, write_units=1, read_units=6, line_bytes=413)
HOUR = Run(seconds=1, write_units=1, read_units=1.5, line_bytes=229)
"""With no account at all."""
IDLE_ACCOUNT_READS, USED_ACCOUNT_READS = 1, 1.5
"""In an hour, for an account that nobody uses and for one in use."""
LOOK_READS, LOOK_WRITES = 90, 1
"""Once a day for an account in use, besides; reads at most, if each of its hours takes a KB."""


def of_runs(run: Run, times: float) -> float:
    """Return what so many runs cost; X-Ray records each, since they come one at a time."""
    each = Shape(
        name="",
        invocations=1,
        gb_seconds=STREAM_GB * run.seconds,
        write_units=run.write_units,
        read_units=run.read_units,
        line_bytes=run.line_bytes,
        is_request=False,
        traced=1,
    )
    return sum(per_million(each).values()) * times / MILLION


def idle() -> dict[str, float]:
    """Return what a stage costs in a month in which nobody calls it."""
    kept = MINUTES * (MINUTE.line_bytes + INVOCATION_BYTES) + HOURS * (HOUR.line_bytes + INVOCATION_BYTES)
    return {
        f"{len(data.alarms())} alarms": PRICES["alarm_month"] * len(data.alarms()),
        "the dashboard": PRICES["dashboard_month"],
        "the function of every minute: status checked, webhooks swept": of_runs(MINUTE, MINUTES),
        "the function of every hour": of_runs(HOUR, HOURS),
        "logs of these, kept for 30 days": PRICES["logs_per_gb_month"] * kept / GB,
        "empty tables with point-in-time recovery, the stage's key, schedules, the alarms' topic": 0,
    }


def besides() -> dict[str, float]:
    """Return what comes to that in a month, each by what there is of it."""
    reads = PRICES["dynamodb_read_units_per_million"] / MILLION
    writes = PRICES["dynamodb_write_units_per_million"] / MILLION
    look = 30 * (LOOK_READS * reads + LOOK_WRITES * writes)
    asked = sum(per_million(BUSY).values()) * 2 * MINUTES / 5 / MILLION
    first_traces = PRICES["xray_per_million_traces"] * 30 * DAY_S / MILLION
    return {
        "status checks, where `LATCHKEY_PUBLIC_URL` is set; with two metrics": asked + 2 * PRICES["metric_month"],
        "anomaly detection for 1,000 idle accounts": 1_000 * HOURS * IDLE_ACCOUNT_READS * reads,
        "anomaly detection for 1,000 active accounts": 1_000 * (HOURS * USED_ACCOUNT_READS * reads + look),
        "a custom metric that is recorded in every hour": PRICES["metric_month"],
        f"all {METRICS} custom metrics in every hour": METRICS * PRICES["metric_month"],
        "X-Ray's first trace of each second, at most": first_traces,
    }


@dataclass(frozen=True, slots=True)
class Stored:
    """How many bytes one of something takes, as DynamoDB counts them, in tables and in their indexes."""

    name: str
    tables: tuple[str, ...]
    table_bytes: int
    index_bytes: int = 0
    is_recoverable: bool = True

    @property
    def storage(self) -> float:
        """Return what a million of them cost in a month."""
        price: float = PRICES["dynamodb_per_gb_month"]
        return price * (self.table_bytes + self.index_bytes) * MILLION / GB

    @property
    def recovery(self) -> float:
        """Return what their point-in-time recovery costs in a month; indexes aren't charged."""
        price: float = PRICES["dynamodb_recovery_per_gb_month"]
        return price * self.table_bytes * MILLION / GB * self.is_recoverable


STORED = {
    "account": Stored("accounts", ("accounts", "emails"), 420, 490),
    "key": Stored("API keys", ("credentials",), 330, 330),
    "grant": Stored(
        "approved applications: consent, grant, code and first tokens",
        ("consents", "grants", "tickets", "credentials"),
        1_700,
        1_060,
    ),
    "refresh": Stored(
        "refreshes: an access token, kept for 30 days after it expires, and the previous refresh token, kept as long as"
        " its grant",
        ("tickets", "credentials"),
        980,
        397,
    ),
    "client": Stored(
        "access tokens of client credentials, kept for 30 days after they expire", ("credentials",), 365, 365
    ),
    "event": Stored("events, kept for 90 days", ("events",), 266),
    "delivery": Stored("deliveries of webhooks, kept for 90 days", ("deliveries",), 562),
    "hour": Stored("counters: one per account or address and hour", ("windows",), 208, is_recoverable=False),
}
