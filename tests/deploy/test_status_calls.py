"""`make status` asks AWS for each thing once, and a deployment doesn't list the same again and again."""

import json
from collections import Counter
from typing import Any

import pytest
from botocore.client import BaseClient

from tests.deploy.conftest import Deployment

pytestmark = pytest.mark.xdist_group("drift")
TABLES, ALARMS, FUNCTIONS = 14, 16, 5
LISTS = ("ListTables", "DescribeAlarms", "GetRestApis", "GetTemplate", "ListEventSourceMappings", "GetStages")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """What is asked of AWS, each call with its request."""
    made: Counter[tuple[str, str]] = Counter()
    send = BaseClient._make_api_call

    def counting(client: Any, operation: str, request: dict[str, Any]) -> Any:
        made[operation, json.dumps(request, sort_keys=True, default=str)] += 1
        return send(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", counting)
    return made


def by_operation(calls: Counter[tuple[str, str]]) -> Counter[str]:
    """Return how often each operation was called."""
    counted: Counter[str] = Counter()
    for (operation, _), times in calls.items():
        counted[operation] += times
    return counted


def test_status_asks_for_each_thing_once(deployment: Deployment, calls: Counter[tuple[str, str]]) -> None:
    """The account is the one that two sentences name; a table takes a call for what each of three calls shows."""
    deployment.checkout.succeeds("status", "dev")
    assert {call: times for call, times in calls.items() if times > 1} == {}
    counted = by_operation(calls)
    assert {name: counted[name] for name in (*LISTS, "ListStackResources")} == dict.fromkeys(
        (*LISTS, "ListStackResources"), 1
    )
    assert (counted["DescribeTable"], counted["DescribeLogGroups"], counted["DescribeStacks"]) == (TABLES, 2, 3)
    assert calls.total() < 80


def test_deployment_lists_apis_and_resources_of_the_stack_few_times(
    deployment: Deployment, calls: Counter[tuple[str, str]]
) -> None:
    """Before it, for Chalice and after it; and the stack's before and after it is brought up to date."""
    deployment.checkout.succeeds("deploy", "dev")
    counted = by_operation(calls)
    assert (counted["GetRestApis"], counted["ListStackResources"]) == (3, 2)
    assert counted["DescribeAlarms"] == 2


def test_rehearsal_lists_resources_of_the_stack_once(deployment: Deployment, calls: Counter[tuple[str, str]]) -> None:
    """CloudFormation's change set and what was deleted by hand come from one look."""
    deployment.checkout.succeeds("deploy", "dev", "--dry-run")
    counted = by_operation(calls)
    assert (counted["GetRestApis"], counted["ListStackResources"], counted["DescribeAlarms"]) == (2, 1, 1)
