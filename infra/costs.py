"""`make costs`: what a million requests cost, from the calls that the tests count and the prices in `prices.json`.

Writes docs/costs.md. Durations are assumptions, named in the table; the calls are not.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from infra import data

ROOT = Path(__file__).parent.parent
PRICES = json.loads((ROOT / "infra" / "prices.json").read_text())
LOG_BYTES = 700
"""One JSON line a request, metrics included."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of traffic: what one request of it makes happen, on average."""

    name: str
    invocations: float
    gb_seconds: float
    write_units: float
    read_units: float


API_GB, AUTHORIZER_GB = 1.0, 0.5
WARM_S = 0.012
"""Assumed duration of a warm request in Lambda: most of it waits for DynamoDB."""

SHAPES = (
    Shape("one key, busy: its verdict is cached, one write a request", 1, API_GB * WARM_S, 1, 0),
    Shape(
        "many keys, each seen once in 5 minutes: every request asks the authorizer, too",
        2,
        API_GB * WARM_S + AUTHORIZER_GB * WARM_S,
        1,
        2,
    ),
    Shape("refused from memory: a flood beyond the limit", 1, API_GB * 0.002, 0, 0),
    Shape("refused by the gateway: no key, or an unknown path", 0, 0, 0, 0),
    Shape(
        "refresh of an OAuth token: one batch read, one admission, one transaction of 5", 1, API_GB * 0.03, 1 + 10, 2
    ),
)


def per_million(shape: Shape) -> dict[str, float]:
    """Return what a million requests of a shape cost, by service."""
    return {
        "gateway": PRICES["api_gateway_per_million"],
        "Lambda": PRICES["lambda_per_million"] * shape.invocations
        + PRICES["lambda_arm64_per_gb_second"] * shape.gb_seconds * 1e6,
        "DynamoDB": PRICES["dynamodb_write_units_per_million"] * shape.write_units
        + PRICES["dynamodb_read_units_per_million"] * shape.read_units,
        "logs": PRICES["logs_per_gb"] * LOG_BYTES * shape.invocations / 1e3,
    }


MINUTES, HOURS = 30 * 24 * 60, 30 * 24
BY_ITSELF = (
    # Invocations, GB-seconds, write units, read units, requests to the gateway, log lines; in a month.
    (
        "every minute: status checked, webhooks swept",
        MINUTES,
        MINUTES * 0.5 * 0.2,
        MINUTES,
        MINUTES * 6,
        0,
        MINUTES * 2,
    ),
    ("the status page's questions, where `LATCHKEY_PUBLIC_URL` is set", 0, 0, 0, 0, 2 * MINUTES / 5, 0),
    ("every hour: 1,000 accounts that nobody uses", HOURS, HOURS * 0.5 * 1, HOURS, HOURS * 1_000, 0, HOURS * 2),
    ("every hour: each 1,000 accounts in use, besides", 0, HOURS * 0.5 * 10, 30_000, 1_000 * (HOURS + 30 * 90), 0, 0),
)
"""What runs without a request. Durations are assumptions: 0.2 s a minute; 1 s an hour, 10 s more for 1,000 in use."""
_BUSY = SHAPES[0]


def by_itself() -> list[str]:
    """Return the rows of what a month costs without a request."""
    rows = []
    for name, invocations, gb_seconds, writes, reads, requests, lines in BY_ITSELF:
        lambda_ = PRICES["lambda_per_million"] * invocations / 1e6 + PRICES["lambda_arm64_per_gb_second"] * gb_seconds
        dynamodb = (
            PRICES["dynamodb_write_units_per_million"] * writes + PRICES["dynamodb_read_units_per_million"] * reads
        ) / 1e6
        asked = sum(per_million(_BUSY).values()) * requests / 1e6
        logs = PRICES["logs_per_gb"] * LOG_BYTES * lines / 1e9
        rows.append(f"| {name} | {lambda_ + dynamodb + asked + logs:.2f} |")
    return rows


def page() -> str:
    """Return docs/costs.md."""
    rows = []
    for shape in SHAPES:
        costs = per_million(shape)
        cells = " | ".join(f"{cost:.2f}" for cost in (*costs.values(), sum(costs.values())))
        rows.append(f"| {shape.name} | {cells} |")
    note = (
        f"US dollars a million requests. Prices: {PRICES['source']}, as of {PRICES['date']}; check your region's."
        f" The DynamoDB units are what the tests count; a warm request is assumed to take {WARM_S * 1000:.0f} ms of a"
        f" {API_GB:.0f} GB function, a log line {LOG_BYTES} bytes."
    )
    lines = (
        "# What it costs",
        "",
        "<!-- written by `make costs` from infra/prices.json and infra/costs.py -->",
        "",
        note,
        "",
        "| traffic | gateway | Lambda | DynamoDB | logs | together |",
        "|---|---:|---:|---:|---:|---:|",
        *rows,
        "",
        "While nobody calls, this is left, in US dollars a month; and storage: tables and logs by the gigabyte,",
        f"{len(data.alarms())} alarms and one dashboard. A webhook's delivery is a few writes and its receiver's time.",
        "",
        "| what runs by itself | a month |",
        "|---|---:|",
        *by_itself(),
        "",
    )
    return "\n".join(lines)


if __name__ == "__main__":
    (ROOT / "docs" / "costs.md").write_text(page())
    print("Wrote docs/costs.md.")
