"""`make status` and a dry run list resources that were deleted or disabled by hand, and a deployment repairs them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.deploy.cloud import Cloud
from tests.deploy.conftest import Deployment

pytestmark = pytest.mark.xdist_group("drift")
JOB, HOUR = "latchkey-dev-job", "latchkey-dev-hour"
ALARM, LOGS = "latchkey-dev-faults", "/aws/lambda/latchkey-dev-authorizer"
STACK, DASHBOARD = "latchkey-dev-data", "latchkey-dev-us-east-1"
RULES = ("latchkey-dev-minute-event", "latchkey-dev-hour-event")
SUBSCRIPTION = "subscription of latchkey-dev-stream to the stream of events"


class Done(NamedTuple):
    """A manual change, and the name of the changed resource in the output."""

    by_hand: Callable[[Cloud], object]
    name: Callable[[Cloud], str]


def delete_rule(cloud: Cloud) -> None:
    """Delete a schedule with its targets, as the EventBridge console does."""
    events = cloud.client("events")
    targets = events.list_targets_by_rule(Rule=RULES[0])["Targets"]
    events.remove_targets(Rule=RULES[0], Ids=[each["Id"] for each in targets])
    events.delete_rule(Name=RULES[0])


def mapping(cloud: Cloud, function: str = "latchkey-dev-stream") -> dict[str, Any]:
    """Return the only event source mapping of a function."""
    listed = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    (found,) = (each for each in listed if each["FunctionArn"].endswith(f":{function}"))
    return dict(found)


def topic(cloud: Cloud) -> str:
    """Return the ARN of the only topic."""
    (found,) = cloud.client("sns").list_topics()["Topics"]
    return str(found["TopicArn"])


def api(cloud: Cloud) -> str:
    """Return the id of the only API."""
    (found,) = cloud.apis()
    return found


def always(name: str) -> Callable[[Cloud], str]:
    """Return a function that returns `name`."""
    return lambda _: name


DELETED = {
    "function": Done(
        lambda cloud: cloud.client("lambda").delete_function(FunctionName=HOUR), always(f"function {HOUR}")
    ),
    "schedule": Done(delete_rule, always(f"schedule {RULES[0]}")),
    "subscription": Done(
        lambda cloud: cloud.client("lambda").delete_event_source_mapping(UUID=mapping(cloud)["UUID"]),
        always(SUBSCRIPTION),
    ),
    "subscription to jobs": Done(
        lambda cloud: cloud.client("lambda").delete_event_source_mapping(UUID=mapping(cloud, JOB)["UUID"]),
        always(f"subscription of {JOB} to the stream of jobs"),
    ),
    "stage": Done(
        lambda cloud: cloud.client("apigateway").delete_stage(restApiId=api(cloud), stageName="api"),
        lambda cloud: f"stage api of the API {api(cloud)}",
    ),
    "alarm": Done(lambda cloud: cloud.client("cloudwatch").delete_alarms(AlarmNames=[ALARM]), always(ALARM)),
    "dashboard": Done(
        lambda cloud: cloud.client("cloudwatch").delete_dashboards(DashboardNames=[DASHBOARD]), always(DASHBOARD)
    ),
    "log group": Done(lambda cloud: cloud.client("logs").delete_log_group(logGroupName=LOGS), always(LOGS)),
    "topic": Done(lambda cloud: cloud.client("sns").delete_topic(TopicArn=topic(cloud)), topic),
}


def put_table(**about: Any) -> Callable[[Cloud], object]:
    """Return a function that changes the settings of a table."""
    return lambda cloud: cloud.client("dynamodb").update_table(TableName="latchkey-dev-emails", **about)


SWITCHED_OFF = {
    "schedule": Done(lambda cloud: cloud.client("events").disable_rule(Name=RULES[1]), always(f"schedule {RULES[1]}")),
    "subscription": Done(
        lambda cloud: cloud.client("lambda").update_event_source_mapping(UUID=mapping(cloud)["UUID"], Enabled=False),
        always(SUBSCRIPTION),
    ),
    "alarm": Done(
        lambda cloud: cloud.client("cloudwatch").disable_alarm_actions(AlarmNames=[ALARM]),
        always(f"actions of the alarm {ALARM}"),
    ),
    "deletion protection": Done(
        put_table(DeletionProtectionEnabled=False), always("deletion protection of the table latchkey-dev-emails")
    ),
    "time to live": Done(
        lambda cloud: cloud.client("dynamodb").update_time_to_live(
            TableName="latchkey-dev-credentials",
            TimeToLiveSpecification={"Enabled": False, "AttributeName": "dies_at"},
        ),
        always("time to live of the table latchkey-dev-credentials"),
    ),
    "recovery": Done(
        lambda cloud: cloud.client("dynamodb").update_continuous_backups(
            TableName="latchkey-dev-accounts",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
        ),
        always("point-in-time recovery of the table latchkey-dev-accounts"),
    ),
    "termination protection": Done(
        lambda cloud: cloud.client("cloudformation").update_termination_protection(
            StackName=STACK, EnableTerminationProtection=False
        ),
        always(f"termination protection of the stack {STACK}"),
    ),
}


def drifted(deployment: Deployment) -> list[str]:
    """Return the lines of `make status` about resources that were deleted or disabled by hand."""
    lines = deployment.checkout.succeeds("status", "dev").splitlines()
    return sorted(line for line in lines if line.startswith(("gone ", "off ")))


@pytest.fixture
def keeps_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an update that sets no state keep the rule's state. AWS doesn't document whether EventBridge keeps it."""
    from moto.events.models import EventsBackend

    put = EventsBackend.put_rule

    def put_as_it_is(backend: EventsBackend, name: str, **given: Any) -> Any:
        known = backend.describe_rule(name, "default") if name in RULES else None
        return put(backend, name, **(given | {"state": given.get("state") or (known.state if known else None)}))

    monkeypatch.setattr(EventsBackend, "put_rule", put_as_it_is)


def test_unchanged_stage_has_not_drifted(deployment: Deployment) -> None:
    """For an unchanged stage, neither `make status` nor a dry run reports deleted or disabled resources."""
    assert drifted(deployment) == []
    assert "deleted" not in deployment.checkout.succeeds("deploy", "dev", "--dry-run")


def test_deleted_resources_are_named_and_recreated(deployment: Deployment) -> None:
    """`status` and a dry run list each deleted resource on a separate line, and a deployment creates it again."""
    cloud = deployment.cloud
    names = [each.name(cloud) for each in DELETED.values()]
    for each in DELETED.values():
        each.by_hand(cloud)
    assert drifted(deployment) == sorted(f"gone      {name}; the next deployment makes it again" for name in names)
    rehearsed = deployment.checkout.succeeds("deploy", "dev", "--dry-run").splitlines()
    for name in names:  # a resource of the data stack is listed as a change of the stack
        said = f", which somebody deleted: {name}", f"  {name} was deleted, and would be made again"
        assert sum(line.endswith(said) for line in rehearsed) == 1
    assert "  nothing changes" not in rehearsed
    deployment.checkout.succeeds("deploy", "dev")
    assert drifted(deployment) == []
    assert HOUR in cloud.functions()
    assert sorted(each["Name"] for each in cloud.client("events").list_rules()["Rules"]) == sorted(RULES)
    assert cloud.client("apigateway").get_stages(restApiId=api(cloud))["item"][0]["stageName"] == "api"


@pytest.mark.usefixtures("keeps_state")
def test_disabled_resources_are_named_and_enabled(deployment: Deployment) -> None:
    """A deployment enables resources that were disabled by hand; CloudFormation and Chalice don't enable them."""
    cloud = deployment.cloud
    names = [each.name(cloud) for each in SWITCHED_OFF.values()]
    for each in SWITCHED_OFF.values():
        each.by_hand(cloud)
    assert drifted(deployment) == sorted(f"off       {name}; the next deployment switches it on" for name in names)
    rehearsed = deployment.checkout.succeeds("deploy", "dev", "--dry-run").splitlines()
    assert {f"  {name} was switched off, and would be switched on" for name in names} <= set(rehearsed)
    said = deployment.checkout.succeeds("deploy", "dev")
    assert f"Enabling again: actions of the alarm {ALARM} …" in said
    assert drifted(deployment) == []


def test_deployment_continues_when_enabling_fails(deployment: Deployment) -> None:
    """A deployment warns and continues if DynamoDB rejects a second change of time to live within an hour."""
    cloud, off = deployment.cloud, SWITCHED_OFF["time to live"]
    off.by_hand(cloud)
    reason = "Time to live has been modified multiple times within a fixed interval."
    cloud.refuses["UpdateTimeToLive"] = [("ValidationException", reason)]
    said = deployment.checkout.succeeds("deploy", "dev")
    (warning,) = (line for line in said.splitlines() if line.startswith("Warning: time to live"))
    assert reason in warning
    assert drifted(deployment) == [f"off       {off.name(cloud)}; the next deployment switches it on"]
    deployment.checkout.succeeds("deploy", "dev")
    assert drifted(deployment) == []


def test_deleted_api_is_named(deployment: Deployment) -> None:
    """`make status` says that a deleted API will get another URL."""
    cloud = deployment.cloud
    cloud.client("apigateway").delete_rest_api(restApiId=api(cloud))
    assert drifted(deployment) == ["gone      the API, which gets another address; the next deployment makes it again"]
    deployment.checkout.succeeds("deploy", "dev")
    assert drifted(deployment) == []


def test_destroyed_service_has_not_drifted(deployment: Deployment) -> None:
    """`make status` doesn't list the resources of a destroyed service as deleted."""
    deployment.checkout.succeeds("destroy", "dev")
    assert drifted(deployment) == []
    deployment.checkout.succeeds("deploy", "dev")
