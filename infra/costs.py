"""`make costs`: what a million requests cost, from the calls that the tests count and the prices in `prices.json`.

Writes docs/costs.md. Durations are assumptions, named in the table; the calls are not.
"""

import json
from dataclasses import dataclass
from pathlib import Path

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
        "While nobody calls, what is left is storage: tables and logs by the gigabyte, 13 alarms and one dashboard.",
        "",
    )
    return "\n".join(lines)


if __name__ == "__main__":
    (ROOT / "docs" / "costs.md").write_text(page())
    print("Wrote docs/costs.md.")
