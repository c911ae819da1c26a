"""Generate the text of docs/costs.md."""

from collections.abc import Iterable

from infra.costs import idle_stage, requests, storage
from infra.costs.prices import DAY_S, MILLION, PRICES
from infra.edge import costs as edge


def table(heads: Iterable[str], rows: Iterable[tuple[object, ...]]) -> list[str]:
    """Return a Markdown table; all columns after the first contain numbers."""
    heads = list(heads)
    written = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}", *written]


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def page() -> str:
    """Return the text of docs/costs.md."""
    return "\n".join((*_head(), *_requests(), *_edge(), *_floods(), *_months(), *_storage(), *_prices(), ""))


def _head() -> list[str]:
    return [
        "# Costs",
        "",
        "<!-- written by `make costs` from infra/prices.json and infra/costs -->",
        "",
        f"In US dollars. Prices: {PRICES['source']}, as of {PRICES['date']}; prices differ by region.",
        "[The last section](#prices) lists them with their sources.",
        "",
        "DynamoDB's units are what the local engine reports as consumed (`ReturnConsumedCapacity`), with indexes and",
        "transactions. Log lines, responses and items are measured, too; tests compare this page with them.",
        "Durations are assumed; the second table has them.",
        "",
    ]


def _requests() -> list[str]:
    paid = [(shape.name, requests.per_million(shape)) for shape in requests.SHAPES.values()]
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
        for shape in requests.SHAPES.values()
    ]
    return [
        "## A million requests",
        "",
        *table(
            ("traffic", *requests.per_million(requests.BUSY), "together"),
            ((name, *each.values(), float(sum(each.values()))) for name, each in paid),
        ),
        "",
        "Each is computed from:",
        "",
        *table(
            ("traffic", "invocations", "GB-milliseconds", "write units", "read units", "bytes logged", "bytes sent"),
            counted,
        ),
        "",
        "Logged are the functions' own lines, Lambda's three for each invocation, and the gateway's access log. X-Ray",
        "records 5 requests in 100 by default, and the first of each second, which is below. AWS doesn't say whether",
        "this includes requests without a key; here it does. Requests rejected by the stage's throttle are free.",
        "",
    ]


def _edge() -> list[str]:
    paid = [(way.name, edge.per_million(way)) for way in edge.WAYS]
    answered, busy = edge.per_million(edge.WAYS[0]), requests.per_million(requests.BUSY)
    floor, megabytes = edge.month(), edge.RENAMES_GB * 1024
    whole = sum(busy.values()) - busy["transfer"] + sum(answered.values())
    return [
        "## A million requests through CloudFront",
        "",
        "What [`EDGE=1`](deploying.md#in-front-of-it-cloudfront) adds, by the point at which a request is answered:",
        "",
        *table(
            ("answered by", *answered, "together"),
            ((name, *each.values(), float(sum(each.values()))) for name, each in paid),
        ),
        "",
        "Transfer is charged here instead of at the gateway, so a million requests of the busy key cost",
        f"{whole:.2f} instead of {sum(busy.values()):.2f}. The Lambda@Edge function has",
        f"{megabytes:.0f} MB, and is assumed to take {edge.RENAMES_S * 1e3:g} ms. Bodies that CloudFront sends",
        f"to the API are left out; they cost {PRICES['cloudfront_to_origin_per_gb']:.2f} a gigabyte.",
        "A request that the API's own web ACL blocks costs AWS WAF's price; AWS doesn't say whether API Gateway's is",
        "added.",
        "These are pay-as-you-go prices; CloudFront's flat-rate plans differ.",
        "",
        "And per month, independent of requests:",
        "",
        *table(("", "a month"), [*_floats(floor), ("**together**", float(sum(floor.values())))]),
        "",
    ]


def _floods() -> list[str]:
    millions = requests.RATE_LIMIT * DAY_S / MILLION
    rows = (
        (requests.SHAPES[name].name, float(sum(requests.per_million(requests.SHAPES[name]).values()) * millions))
        for name in requests.FLOODS
    )
    return [
        "## A day of a flood",
        "",
        (
            f"The stage lets {requests.RATE_LIMIT:,} requests a second through, all callers together: "
            f"{millions:.0f} million"
        ),
        "a day. A [budget](operating.md#an-alarm-on-what-it-costs) reports such a day, and a",
        "[web application firewall](deploying.md#a-web-application-firewall) ends it.",
        "",
        *table(("traffic", "a day"), rows),
        "",
    ]


def _months() -> list[str]:
    floor = idle_stage.idle()
    rows = [*_floats(floor), ("**together**", float(sum(floor.values())))]
    return [
        "## A month of an idle stage",
        "",
        *table(("resource", "a month"), rows),
        "",
        "Additional costs:",
        "",
        *table(("", "a month"), _floats(idle_stage.additions())),
        "",
    ]


def _storage() -> list[str]:
    rows = (
        (each.name, each.table_bytes, each.index_bytes, each.storage, each.recovery, each.storage + each.recovery)
        for each in storage.STORED.values()
    )
    return [
        "## A million items stored for a month",
        "",
        *table(("item", "bytes each", "in indexes", "storage", "recovery", "together"), rows),
        "",
        (
            f"To restore a table costs {PRICES['dynamodb_restore_per_gb']:.2f} a gigabyte;"
            " [the procedure](operating.md#restore) restores twice, and keeps a backup in between."
        ),
        "",
    ]


def _prices() -> list[str]:
    named = {name: price for name, price in PRICES.items() if isinstance(price, float)}
    rows = [
        (f"`{name}`", f"{price:.10f}".rstrip("0").rstrip("."), PRICES["seen"].get(name, ""))
        for name, price in named.items()
    ]
    return [
        "## Prices",
        "",
        *PRICES["note"],
        "",
        "| price | USD | source |",
        "|---|---:|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _floats(paid: dict[str, float]) -> list[tuple[str, float]]:
    return [(name, float(cost)) for name, cost in paid.items()]
