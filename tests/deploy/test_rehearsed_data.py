"""A dry run lists exactly the changes that a deployment then makes to the data stack.

The tests start from different states of the stack.
"""

import re
from collections.abc import Callable
from copy import deepcopy

import pytest

from infra import template
from infra.data_stack.rehearsal import STACK
from infra.data_stack.stack import DataStack
from tests.deploy.cloud import Cloud
from tests.deploy.test_stack import NAME, indexed, put
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("stack")
Lines = set[tuple[str, str, str]]
API, HOUR = "/aws/lambda/latchkey-dev", "/aws/lambda/latchkey-dev-hour"
ASKED = "ops@example.com gets no alarm before it opens the link in the mail that AWS sends it then"
NOT_WHOLE = ["DELETE_FAILED", "ROLLBACK_FAILED", "CREATE_FAILED", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"]


def rehearsed(lines: list[str]) -> Lines:
    """Return the changes that a dry run lists, as action, type and logical id."""
    found = [re.match(r"(Make again|\w+) (AWS::[\w:]+) ([\w-]+)", line) for line in lines]
    return {(each[1], each[2], each[3]) for each in found if each}


def done(cloud: Cloud) -> Lines:
    """Return the final action on each resource."""
    actions: dict[tuple[str, str], list[str]] = {}
    for action, kind, logical in cloud.formation().done:
        actions.setdefault((kind, logical), []).append(action)
    return {(_in_the_end(each), kind, logical) for (kind, logical), each in actions.items()}


def _in_the_end(actions: list[str]) -> str:
    if "Import" in actions:
        return "Import"
    if "Add" in actions:
        return "Make again" if "Remove" in actions else "Add"
    return actions[-1]


def make(cloud: Cloud, *, wanted: template.Template | None = None, **chosen: str) -> None:
    """Deploy the data stack and clear the record of its actions."""
    DataStack("dev", print).put(wanted or template.composed(), chosen)
    cloud.formation().done.clear()


def delete_topic(cloud: Cloud) -> None:
    """Delete the SNS topic of the alarms."""
    cloud.client("sns").delete_topic(TopicArn="arn:aws:sns:us-east-1:123456789012:latchkey-dev-alarms")


def delete_alarm_and_logs(cloud: Cloud) -> None:
    """Delete an alarm and a log group."""
    cloud.client("cloudwatch").delete_alarms(AlarmNames=["latchkey-dev-faults"])
    cloud.client("logs").delete_log_group(logGroupName=HOUR)


def delete_table(cloud: Cloud) -> None:
    """Delete a table."""
    cloud.client("dynamodb").update_table(TableName="latchkey-dev-emails", DeletionProtectionEnabled=False)
    cloud.client("dynamodb").delete_table(TableName="latchkey-dev-emails")


def begin_to_delete_table(cloud: Cloud) -> None:
    """Put a table into the state DELETING."""
    cloud.deleting["latchkey-dev-emails"] = 3


def forget_logs(cloud: Cloud) -> None:
    """Remove a log group and a table from the stack without deleting them."""
    stack = cloud.formation().stacks[NAME]
    for logical in ("HourLogs", "Emails"):
        del stack.made[logical], stack.template["Resources"][logical]


def delete_half(cloud: Cloud) -> None:
    """Delete the alarms only, as a failed deletion of the stack does."""
    formation = cloud.formation()
    stack = formation.stacks[NAME]
    for logical in [each for each, made in stack.made.items() if "Alarm" in made.resource["Type"]]:
        formation._take_back(stack, logical)
    formation.done.clear()


def unprotect(cloud: Cloud) -> None:
    """Put the stack into the state after a deployment that failed before it protected the tables."""
    cloud.formation().stacks[NAME].parameters["Protection"] = "off"
    for table in cloud.tables():
        cloud.client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=False)
    stack = cloud.formation().stacks[NAME]
    for logical, made in list(stack.made.items()):
        stack.made[logical] = made._replace(
            resource=cloud.formation()._resolved(stack, stack.template["Resources"][logical])
        )


def nothing(_cloud: Cloud) -> None:
    """Change nothing."""


def older() -> template.Template:
    """Return the template of another version, which has one more alarm and one more table."""
    wanted = template.composed()
    wanted["Resources"]["Widgets"] = deepcopy(wanted["Resources"]["Emails"])
    wanted["Resources"]["Widgets"]["Properties"]["TableName"] = {"Fn::Sub": "latchkey-${Stage}-widgets"}
    wanted["Resources"]["OldAlarm"] = deepcopy(wanted["Resources"]["FaultsAlarm"])
    wanted["Resources"]["OldAlarm"]["Properties"]["AlarmName"] = {"Fn::Sub": "latchkey-${Stage}-old"}
    return wanted


def compare(cloud: Cloud, wanted: template.Template, **chosen: str) -> list[str]:
    """Assert that a dry run lists the changes that the next deployment makes, and return the dry run's lines."""
    cloud.changes.clear()
    said = DataStack("dev", print).planned(wanted, chosen)
    assert [each for each in cloud.changes if "ChangeSet" not in each] == []
    assert cloud.formation().done == []
    DataStack("dev", print).put(wanted, chosen)
    assert rehearsed(said) == done(cloud)
    assert DataStack("dev", print).planned(wanted, chosen) == []
    return said


@pytest.mark.parametrize("before", [older, template.composed])
@pytest.mark.parametrize(
    "harm", [nothing, delete_topic, delete_alarm_and_logs, forget_logs, unprotect], ids=lambda each: each.__name__
)
def test_dry_run_of_a_complete_stack_equals_its_deployment(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[], template.Template],
    harm: Callable[[Cloud], None],
) -> None:
    """The dry run lists deleted resources, and resources that refer to them, as created again."""
    make(cloud, wanted=before(), AlarmEmail="ops@example.com")
    harm(cloud)
    said = compare(cloud, indexed(("by_one", "one"), ("by_two", "two")), LogDays="14")
    assert (ASKED in said) == (harm is delete_topic)


@pytest.mark.parametrize("status", exhaustive.after(3, NOT_WHOLE))
@pytest.mark.parametrize(
    "harm",
    [nothing, delete_topic, delete_table, begin_to_delete_table, forget_logs, delete_half],
    ids=lambda each: each.__name__,
)
def test_dry_run_of_a_failed_stack_equals_its_deployment(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, status: str, harm: Callable[[Cloud], None]
) -> None:
    """The dry run for a failed stack lists the tables to import, the lost logs and a new confirmation email."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    make(cloud, wanted=older(), AlarmEmail="ops@example.com")
    harm(cloud)
    cloud.formation().stacks[NAME].status = status
    said = compare(cloud, template.composed())
    assert said[0] == f"Remove {STACK} {NAME}, which is incomplete ({status})"
    assert said[-1] == ASKED
    assert "Import AWS::DynamoDB::Table Accounts" in said
    assert "Make again AWS::Logs::LogGroup ApiLogs, without what is in it" in said
    assert "Leave AWS::DynamoDB::Table Widgets, in no stack: latchkey-dev-widgets" in said


@pytest.mark.parametrize("address", ["", "ops@example.com"])
def test_dry_run_without_a_stack_equals_its_deployment(cloud: Cloud, address: str) -> None:
    """The dry run lists the exact changes of a first deployment, and of a deployment that imports retained
    tables and parameters.
    """
    said = compare(cloud, template.composed(), AlarmEmail=address)
    assert (ASKED in said) == bool(address)
    cloud.client("cloudformation").update_termination_protection(StackName=NAME, EnableTerminationProtection=False)
    cloud.client("cloudformation").delete_stack(StackName=NAME)
    cloud.client("logs").create_log_group(logGroupName=API)
    cloud.formation().done.clear()
    said = compare(cloud, template.composed())
    assert "Import AWS::Logs::LogGroup ApiLogs" in said
    assert (ASKED in said) == bool(address)


def test_dry_run_of_an_empty_stack_equals_its_deployment(cloud: Cloud) -> None:
    """The dry run says that an empty stack whose import failed will be created again."""
    client = cloud.client("cloudformation")
    client.create_stack(StackName=NAME, TemplateBody='{"Resources": {}}', EnableTerminationProtection=True)
    cloud.formation().stacks[NAME].status = "IMPORT_ROLLBACK_COMPLETE"
    assert compare(cloud, template.composed())[0].endswith("which is incomplete (IMPORT_ROLLBACK_COMPLETE)")


def test_dry_run_announces_the_confirmation_email(cloud: Cloud) -> None:
    """A dry run lists a confirmation email only if the address changes."""
    put()
    cloud.formation().done.clear()
    assert ASKED in compare(cloud, template.composed(), AlarmEmail="ops@example.com")
    cloud.formation().done.clear()
    assert compare(cloud, template.composed(), AlarmEmail="ops@example.com") == []
