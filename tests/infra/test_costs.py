"""Inputs of docs/costs.md other than recorded calls: throttle, memory, log lines, metrics and prices."""

import ast
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import data, template
from infra.costs import idle_stage, page, requests, storage
from infra.costs.prices import PRICES
from infra.deploy import gateway_stage
from infra.edge import costs as edge
from infra.edge import front

ROOT = Path(__file__).parents[2]
CAMEL = re.compile(r"[A-Z][a-z]+([A-Z][a-z]+)*")
ANSWERED = {
    "$context.requestId": requests.REQUEST_ID,
    "$context.identity.sourceIp": "203.0.113.7",
    "$context.requestTime": "20/Dec/2021:10:00:00 +0000",
    "$context.httpMethod": "GET",
    "$context.resourcePath": "/v1/limits",
    "$context.status": "200",
    "$context.responseLength": "212",
    "$context.responseLatency": "17",
    "$context.error.responseType": "-",
}
"""Values that API Gateway writes into a line of the access log."""


def test_costs_use_the_stages_throttle() -> None:
    """The costs of a flood use the throttle that `make deploy` sets."""
    assert requests.RATE_LIMIT == gateway_stage.RATE_LIMIT


def test_costs_use_the_memory_of_prod() -> None:
    """The costs use the memory of prod's functions, for which Lambda charges."""
    functions = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"]["prod"]["lambda_functions"]
    memory = {name: each["lambda_memory_size"] / 1024 for name, each in functions.items()}
    assert (memory["api_handler"], memory["authorizer"]) == (requests.API_GB, requests.AUTHORIZER_GB)
    assert {memory[name] for name in ("stream", "minute", "hour")} == {requests.STREAM_GB}


def test_access_log_line_has_the_assumed_size() -> None:
    """An access log line in the configured format has the assumed size within 10 %."""
    line = json.dumps({name: ANSWERED[variable] for name, variable in json.loads(gateway_stage.ACCESS_LOG).items()})
    assert len(line) + 1 == pytest.approx(requests.ACCESS_BYTES, rel=0.1)


def test_every_metric_is_paid_for() -> None:
    """The costs include every metric name in the code; each is one metric, because it has one dimension."""
    assert len(set(_metrics())) == requests.METRICS


def _metrics() -> Iterator[str]:
    """Yield the metric names in calls of `count` and `measured`."""
    for path in (ROOT / "chalicelib").rglob("*.py"):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)) if "telemetry" in source else ():
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="telemetry"), attr="count"),
                    args=[ast.Constant(value=name), *_],
                ):
                    yield str(name)
                case ast.Dict(keys=keys, values=[ast.Constant(value=1), *_]):
                    names = [key.value for key in keys if isinstance(key, ast.Constant)]
                    yield from (str(name) for name in names if CAMEL.fullmatch(str(name)))
                case ast.Subscript(value=ast.Name(id="metrics"), slice=ast.Constant(value=str(name))):
                    yield name


def test_cost_of_a_steady_state_request_is_the_sum_of_its_parts() -> None:
    """A request in steady state has a cost for every service that handles it, and for no other."""
    parts = requests.per_million(requests.BUSY)
    assert sum(parts.values()) == pytest.approx(5.4, abs=0.1)
    assert set(parts) == {"gateway", "Lambda", "DynamoDB", "logs", "X-Ray", "transfer"}
    assert all(cost > 0 for cost in parts.values())


def test_requests_denied_by_the_gateway_are_free() -> None:
    """API Gateway charges nothing for denied requests, but charges for unknown paths."""
    assert [requests.per_million(requests.SHAPES[name])["gateway"] for name in ("no_key", "random", "unknown")] == [
        0,
        0,
        3.5,
    ]
    assert 0.8 <= sum(requests.per_million(requests.SHAPES["random"]).values()) <= 1.2


def test_idle_stage_includes_every_alarm_and_the_dashboard() -> None:
    """The monthly costs include the price of every alarm and dashboard in the template."""
    kinds = [resource["Type"] for resource in data.template()["Resources"].values()]
    floor = idle_stage.idle()
    alarms, boards = kinds.count("AWS::CloudWatch::Alarm"), kinds.count("AWS::CloudWatch::Dashboard")
    assert floor[f"{alarms} alarms"] == alarms * PRICES["alarm_month"]
    assert floor["the dashboard"] == boards * PRICES["dashboard_month"]


@pytest.mark.parametrize("kept", storage.STORED.values(), ids=lambda kept: kept.tables[0])
def test_recovery_is_charged_for_tables_that_have_it(kept: storage.Stored) -> None:
    """Point-in-time recovery is included exactly for the tables that have it enabled."""
    tables = data.tables("prod")
    has = {
        tables[f"latchkey-prod-{name}"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        for name in kept.tables
    }
    assert has == {kept.is_recoverable}


def test_edge_costs_match_its_templates() -> None:
    """The costs include every web ACL and rule, the edge function's memory, and each behavior's functions."""
    made = [front.distribution()["Resources"], template.read(front.ORIGIN)["Resources"]]
    acls = [each for resources in made for each in resources.values() if each["Type"] == "AWS::WAFv2::WebACL"]
    always = [rule for acl in acls for rule in acl["Properties"]["Rules"] if "Fn::If" not in rule]
    assert (len(acls), len(always)) == (edge.WEB_ACLS, edge.RULES)
    assert made[0]["Renames"]["Properties"]["MemorySize"] == edge.RENAMES_GB * 1024
    config = made[0]["Distribution"]["Properties"]["DistributionConfig"]
    runs = ("FunctionAssociations", "LambdaFunctionAssociations")
    assert [len(config["DefaultCacheBehavior"][each]) for each in runs] == [1, 1]
    assert not set(runs) & set(config["CacheBehaviors"][0])


def test_cached_file_has_the_assumed_size() -> None:
    """The assumed size is that of the largest static file after compression, with 600 bytes for the headers."""
    files = (ROOT / "chalicelib" / "pages" / "static").iterdir()
    largest = max(len(gzip.compress(file.read_bytes())) for file in files)
    assert largest + 600 == pytest.approx(edge.STATIC_BYTES, rel=0.1)


def test_deploying_page_has_the_cost_of_the_edge() -> None:
    """docs/deploying.md states the computed cost of the edge. A blocked request costs only AWS WAF's price."""
    answered, _, blocked = [sum(edge.per_million(way).values()) for way in edge.WAYS]
    page = (ROOT / "docs" / "deploying.md").read_text()
    assert f"${answered:.2f} a million requests and ${sum(edge.month().values()):.2f} a month" in page
    assert blocked == PRICES["waf_per_million"]


def test_every_price_is_used_and_dated() -> None:
    """Every price in the file of prices is used to compute docs/costs.md."""
    assert re.fullmatch(r"\d{4}-\d{2}", PRICES["date"])
    modules = (idle_stage, page, requests, storage, edge)
    source = "".join(Path(str(module.__file__)).read_text() for module in modules)
    unused = [name for name in PRICES if f'PRICES["{name}"]' not in source.replace("'", '"')]
    assert unused == ["currency"]


def test_page_has_every_price_and_where_it_was_seen() -> None:
    """docs/costs.md lists each price with its source and date or `undated copy`, or as not found."""
    prices = {name for name, price in PRICES.items() if isinstance(price, float)}
    seen = PRICES["seen"]
    assert seen.keys() < prices
    assert all(re.search(r", (20\d\d(-\d\d){0,2}|undated copy)$", where) for where in seen.values())
    text = page.page()
    assert all(f"| `{name}` |" in text and seen.get(name, "") in text for name in prices)
    assert all(line in text for line in PRICES["note"])
