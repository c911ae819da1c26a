"""`make costs`: writes docs/costs.md from infra/costs.py and infra/prices.json."""

from collections.abc import Iterable

from infra import costs
from infra.edge import costs as edge


def table(heads: Iterable[str], rows: Iterable[tuple[object, ...]]) -> list[str]:
    """Return a table in Markdown; all columns after the first hold numbers."""
    heads = list(heads)
    written = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}", *written]


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def page() -> str:
    """Return docs/costs.md."""
    return "\n".join((*_head(), *_requests(), *_edge(), *_floods(), *_months(), *_storage(), *_prices(), ""))


def _head() -> list[str]:
    return [
        "# Costs",
        "",
        "<!-- written by `make costs` from infra/prices.json and infra/costs.py -->",
        "",
        f"In US dollars. Prices: {costs.PRICES['source']}, as of {costs.PRICES['date']}; check your region's.",
        "[The last section](#prices) lists them with their sources.",
        "",
        "DynamoDB's units are those that the local engine reports (`ReturnConsumedCapacity`), with indexes and",
        "transactions. Log lines, responses and items are measured, too, and tests compare this page with all of them.",
        "Durations are assumptions, shown in the second table.",
        "",
    ]


def _requests() -> list[str]:
    paid = [(shape.name, costs.per_million(shape)) for shape in costs.SHAPES.values()]
    counted = [
        (
            shape.name,
            shape.invocations,
            f"{shape.gb_seconds * 1e3:g}",
            shape.write_units,
            shape.read_units,
            round(shape.logged_bytes),
            round(shape.sent_bytes),
        )
        for shape in costs.SHAPES.values()
    ]
    return [
        "## A million requests",
        "",
        *table(
            ("traffic", *costs.per_million(costs.BUSY), "together"),
            ((name, *each.values(), float(sum(each.values()))) for name, each in paid),
        ),
        "",
        "The basis for one request:",
        "",
        *table(
            ("traffic", "invocations", "GB-milliseconds", "write units", "read units", "bytes logged", "bytes sent"),
            counted,
        ),
        "",
        "The logs are the functions' own lines, Lambda's three per invocation, and the gateway's access log. X-Ray",
        "records 5 requests in 100 by default, and the first of each second (below). AWS doesn't document whether that",
        "applies to requests without a key; they are included. Requests rejected by the stage's throttle are free.",
        "",
    ]


def _edge() -> list[str]:
    paid = [(way.name, edge.per_million(way)) for way in edge.WAYS]
    answered, busy = edge.per_million(edge.WAYS[0]), costs.per_million(costs.BUSY)
    floor, megabytes = edge.month(), edge.RENAMES_GB * 1024
    whole = sum(busy.values()) - busy["transfer"] + sum(answered.values())
    return [
        "## A million requests through CloudFront",
        "",
        "The additional cost of [`EDGE=1`](deploying.md#in-front-of-it-cloudfront), by where a request ends:",
        "",
        *table(
            ("request", *answered, "together"),
            ((name, *each.values(), float(sum(each.values()))) for name, each in paid),
        ),
        "",
        "Transfer is charged here instead of at the gateway, so a million requests of the busy key cost",
        f"{whole:.2f} instead of {sum(busy.values()):.2f}. The Lambda@Edge function has",
        f"{megabytes:.0f} MB and an assumed duration of {edge.RENAMES_S * 1e3:g} ms. Bodies that CloudFront sends to",
        f"the API are not included; they cost {costs.PRICES['cloudfront_to_origin_per_gb']:.2f} a gigabyte.",
        "Requests blocked by the API's own web ACL cost AWS WAF's price; whether API Gateway's is added is unknown.",
        "These are prices per request; CloudFront also has flat monthly plans.",
        "",
        "Per month, independent of traffic:",
        "",
        *table(("", "a month"), [*_floats(floor), ("**together**", float(sum(floor.values())))]),
        "",
    ]


def _floods() -> list[str]:
    requests = costs.RATE_LIMIT * costs.DAY_S / costs.MILLION
    rows = (
        (costs.SHAPES[name].name, float(sum(costs.per_million(costs.SHAPES[name]).values()) * requests))
        for name in costs.FLOODS
    )
    return [
        "## A day of a flood",
        "",
        f"The stage accepts {costs.RATE_LIMIT:,} requests a second from all callers together: {requests:.0f} million",
        "a day. A [budget](operating.md#an-alarm-on-what-it-costs) reports such a day, and a",
        "[web application firewall](deploying.md#a-web-application-firewall) ends it.",
        "",
        *table(("traffic", "a day"), rows),
        "",
    ]


def _months() -> list[str]:
    floor = costs.idle()
    rows = [*_floats(floor), ("**together**", float(sum(floor.values())))]
    return [
        "## A month of an idle stage",
        "",
        *table(("resource", "a month"), rows),
        "",
        "Additional costs:",
        "",
        *table(("", "a month"), _floats(costs.besides())),
        "",
    ]


def _storage() -> list[str]:
    rows = (
        (each.name, each.table_bytes, each.index_bytes, each.storage, each.recovery, each.storage + each.recovery)
        for each in costs.STORED.values()
    )
    return [
        "## A million items stored for a month",
        "",
        *table(("item", "bytes each", "in indexes", "storage", "recovery", "together"), rows),
        "",
        (
            f"To restore a table costs {costs.PRICES['dynamodb_restore_per_gb']:.2f} a gigabyte;"
            " [the procedure](operating.md#restore) restores twice, and stores a backup meanwhile."
        ),
        "",
    ]


def _prices() -> list[str]:
    named = {name: price for name, price in costs.PRICES.items() if isinstance(price, float)}
    rows = [
        (f"`{name}`", f"{price:.10f}".rstrip("0").rstrip("."), costs.PRICES["seen"].get(name, ""))
        for name, price in named.items()
    ]
    return [
        "## Prices",
        "",
        *costs.PRICES["note"],
        "",
        "| price | USD | source |",
        "|---|---:|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _floats(paid: dict[str, float]) -> list[tuple[str, float]]:
    return [(name, float(cost)) for name, cost in paid.items()]


if __name__ == "__main__":
    (costs.ROOT / "docs" / "costs.md").write_text(page())
    print("Wrote docs/costs.md.")
