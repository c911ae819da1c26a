"""`make status` makes each AWS call once, and a deployment makes few list calls."""

import json
from collections import Counter
from typing import Any

import pytest
from botocore.client import BaseClient

from tests.deploy.conftest import Deployment

pytestmark = pytest.mark.xdist_group("drift")
TABLES, ALARMS, FUNCTIONS = 17, 18, 6
LISTS = ("ListTables", "DescribeAlarms", "GetRestApis", "GetTemplate", "ListEventSourceMappings", "GetStages")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """The number of AWS calls, by operation and parameters."""
    made: Counter[tuple[str, str]] = Counter()
    send = BaseClient._make_api_call

    def counting(client: Any, operation: str, request: dict[str, Any]) -> Any:
        made[operation, json.dumps(request, sort_keys=True, default=str)] += 1
        return send(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", counting)
    return made


def by_operation(calls: Counter[tuple[str, str]]) -> Counter[str]:
    """Return the number of calls of each operation."""
    counted: Counter[str] = Counter()
    for (operation, _), times in calls.items():
        counted[operation] += times
    return counted


def test_status_makes_no_call_twice(deployment: Deployment, calls: Counter[tuple[str, str]]) -> None:
    """`make status` makes no call twice, and fewer than 80 calls in total."""
    deployment.checkout.succeeds("status", "dev")
    assert {call: times for call, times in calls.items() if times > 1} == {}
    counted = by_operation(calls)
    assert {name: counted[name] for name in (*LISTS, "ListStackResources")} == dict.fromkeys(
        (*LISTS, "ListStackResources"), 1
    )
    assert (counted["DescribeTable"], counted["DescribeLogGroups"], counted["DescribeStacks"]) == (TABLES, 2, 3)
    assert calls.total() < 80


def test_deployment_makes_few_list_calls(deployment: Deployment, calls: Counter[tuple[str, str]]) -> None:
    """A deployment lists APIs three times, and alarms and the stack's resources twice."""
    deployment.checkout.succeeds("deploy", "dev")
    counted = by_operation(calls)
    assert (counted["GetRestApis"], counted["ListStackResources"]) == (3, 2)
    assert counted["DescribeAlarms"] == 2


def test_dry_run_lists_stack_resources_once(deployment: Deployment, calls: Counter[tuple[str, str]]) -> None:
    """A dry run lists the stack's resources once, for both the change set and the resources changed by hand."""
    deployment.checkout.succeeds("deploy", "dev", "--dry-run")
    counted = by_operation(calls)
    assert (counted["GetRestApis"], counted["ListStackResources"], counted["DescribeAlarms"]) == (2, 1, 1)
