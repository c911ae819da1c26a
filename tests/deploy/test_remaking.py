"""A deployment with resources that exist without a stack, or were deleted by hand, completes the stack without data
loss.
"""

import json

import pytest

from infra import template
from infra.data_stack import remaking
from infra.data_stack.stack import DataStack
from tests.deploy.cloud import Cloud
from tests.deploy.test_stack import NAME, put

pytestmark = pytest.mark.xdist_group("stack")
API, HOUR = "/aws/lambda/latchkey-dev", "/aws/lambda/latchkey-dev-hour"


def test_left_over_log_groups_are_imported(cloud: Cloud) -> None:
    """A new stack imports the existing log groups of its functions with their log streams."""
    logs = cloud.client("logs")
    for name in (API, HOUR, f"{API}-of-somebody-else"):
        logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=HOUR, retentionInDays=7)
    logs.create_log_stream(logGroupName=API, logStreamName="last")
    planned = DataStack("dev", print).planned(template.composed())
    assert [each for each in planned if each.startswith("Import")] == [
        "Import AWS::Logs::LogGroup ApiLogs",
        "Import AWS::Logs::LogGroup HourLogs",
    ]
    said = put()
    assert f"Importing existing resources into the data stack {NAME}: {API}, {HOUR} …" in said
    assert set(cloud.formation().stacks[NAME].made) == set(template.composed()["Resources"])
    assert logs.describe_log_streams(logGroupName=API)["logStreams"][0]["logStreamName"] == "last"
    kept = {each["logGroupName"]: each.get("retentionInDays") for each in logs.describe_log_groups()["logGroups"]}
    assert (kept[API], kept[HOUR], kept[f"{API}-of-somebody-else"]) == (30, 30, None)


def test_deleted_alarm_topic_and_log_group_are_recreated(cloud: Cloud) -> None:
    """A deployment creates a deleted alarm, topic and log group again, and the next deployment changes nothing."""
    put()
    stack = DataStack("dev", print)
    assert stack.look().lost == {}
    (topic,) = stack.look().has(remaking.TOPIC).values()
    cloud.client("cloudwatch").delete_alarms(AlarmNames=["latchkey-dev-faults"])
    cloud.client("sns").delete_topic(TopicArn=topic)
    cloud.client("logs").delete_log_group(logGroupName=HOUR)
    assert set(stack.look().lost.values()) == {"latchkey-dev-faults", topic, HOUR}
    tables = cloud.client("dynamodb")
    tables.put_item(TableName="latchkey-dev-emails", Item={"email": {"S": "a@example.com"}})
    (told,) = (line for line in put() if line.startswith("Recreating deleted resources: "))
    assert "latchkey-dev-faults" in told
    assert stack.look().lost == {}
    alarms = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert len(alarms) == sum(each["Type"].endswith("::Alarm") for each in template.composed()["Resources"].values())
    assert tables.scan(TableName="latchkey-dev-emails")["Count"] == 1
    assert not any("Recreating deleted" in line for line in put())


def test_new_stack_is_not_checked_for_disabled_settings(cloud: Cloud) -> None:
    """Disabled settings aren't looked for in a new stack, because this would cost two calls for each table."""
    cloud.refuses["DescribeTimeToLive"] = [("AccessDeniedException", "Not asked.")]
    put()
    assert cloud.refuses["DescribeTimeToLive"]


def test_template_without_a_resource_has_no_reference_to_it() -> None:
    """A template from which a resource is removed contains no reference to this resource, but all tables and roles."""
    whole = template.composed()
    for logical, each in whole["Resources"].items():
        if each["Type"] in remaking.THERE:
            less = remaking.without(whole, [logical])
            text = json.dumps(less)
            for reference in (
                f'"Ref": "{logical}"',
                f'"Fn::GetAtt": ["{logical}"',
                f"${{{logical}}}",
                f"${{{logical}.",
            ):
                assert reference not in text, logical
            stays = {name for name, each in whole["Resources"].items() if each["Type"] in remaking.NEVER_REMADE}
            assert stays <= less["Resources"].keys()
