"""What `DRY_RUN=1` says of the data stack is what a deployment then does, in whatever state the stack is."""

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
    """Return what a rehearsal says is done: action, type, logical id."""
    found = [re.match(r"(Make again|\w+) (AWS::[\w:]+) ([\w-]+)", line) for line in lines]
    return {(each[1], each[2], each[3]) for each in found if each}


def done(cloud: Cloud) -> Lines:
    """Return what came of each resource in the end."""
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
    """Deploy the data, and forget what that did."""
    DataStack("dev", print).put(wanted or template.composed(), chosen)
    cloud.formation().done.clear()


def delete_topic(cloud: Cloud) -> None:
    """Delete the topic of the alarms, as somebody may by hand."""
    cloud.client("sns").delete_topic(TopicArn="arn:aws:sns:us-east-1:123456789012:latchkey-dev-alarms")


def delete_alarm_and_logs(cloud: Cloud) -> None:
    """Delete an alarm and a log group likewise."""
    cloud.client("cloudwatch").delete_alarms(AlarmNames=["latchkey-dev-faults"])
    cloud.client("logs").delete_log_group(logGroupName=HOUR)


def delete_table(cloud: Cloud) -> None:
    """Delete a table likewise."""
    cloud.client("dynamodb").update_table(TableName="latchkey-dev-emails", DeletionProtectionEnabled=False)
    cloud.client("dynamodb").delete_table(TableName="latchkey-dev-emails")


def begin_to_delete_table(cloud: Cloud) -> None:
    """Let a table be one that is on its way out."""
    cloud.deleting["latchkey-dev-emails"] = 3


def forget_logs(cloud: Cloud) -> None:
    """Let a log group and a table exist that the stack hasn't."""
    stack = cloud.formation().stacks[NAME]
    for logical in ("HourLogs", "Emails"):
        del stack.made[logical], stack.template["Resources"][logical]


def delete_half(cloud: Cloud) -> None:
    """Delete what a deletion that failed had deleted by then."""
    formation = cloud.formation()
    stack = formation.stacks[NAME]
    for logical in [each for each, made in stack.made.items() if "Alarm" in made.resource["Type"]]:
        formation._take_back(stack, logical)
    formation.done.clear()


def unprotect(cloud: Cloud) -> None:
    """Let the stack be one whose deployment failed before it protected its tables."""
    cloud.formation().stacks[NAME].parameters["Protection"] = "off"
    for table in cloud.tables():
        cloud.client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=False)
    stack = cloud.formation().stacks[NAME]
    for logical, made in list(stack.made.items()):
        stack.made[logical] = made._replace(
            resource=cloud.formation()._resolved(stack, stack.template["Resources"][logical])
        )


def nothing(_cloud: Cloud) -> None:
    """Do nothing more."""


def older() -> template.Template:
    """Return what an older version, or a newer one, made: an alarm and a table besides, and an index less."""
    wanted = template.composed()
    wanted["Resources"]["Widgets"] = deepcopy(wanted["Resources"]["Emails"])
    wanted["Resources"]["Widgets"]["Properties"]["TableName"] = {"Fn::Sub": "latchkey-${Stage}-widgets"}
    wanted["Resources"]["OldAlarm"] = deepcopy(wanted["Resources"]["FaultsAlarm"])
    wanted["Resources"]["OldAlarm"]["Properties"]["AlarmName"] = {"Fn::Sub": "latchkey-${Stage}-old"}
    return wanted


def compare(cloud: Cloud, wanted: template.Template, **chosen: str) -> list[str]:
    """Rehearse, deploy, and compare; return what the rehearsal said."""
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
def test_rehearsal_of_a_whole_stack_is_what_its_deployment_does(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[], template.Template],
    harm: Callable[[Cloud], None],
) -> None:
    """What was deleted by hand is made again, with every alarm that refers to a topic that is."""
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
def test_rehearsal_of_a_stack_that_can_only_be_deleted_is_what_its_deployment_does(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, status: str, harm: Callable[[Cloud], None]
) -> None:
    """Tables are taken in, logs are lost, and the address of the alarms is asked again."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    make(cloud, wanted=older(), AlarmEmail="ops@example.com")
    harm(cloud)
    cloud.formation().stacks[NAME].status = status
    said = compare(cloud, template.composed())
    assert said[0] == f"Remove {STACK} {NAME}, which is not whole ({status})"
    assert said[-1] == ASKED
    assert "Import AWS::DynamoDB::Table Accounts" in said
    assert "Make again AWS::Logs::LogGroup ApiLogs, without what is in it" in said
    assert "Leave AWS::DynamoDB::Table Widgets, in no stack: latchkey-dev-widgets" in said


@pytest.mark.parametrize("address", ["", "ops@example.com"])
def test_rehearsal_without_a_stack_is_what_a_deployment_does(cloud: Cloud, address: str) -> None:
    """Of the first one, and of one that finds tables whose stack was deleted: what was chosen for that one is noted."""
    said = compare(cloud, template.composed(), AlarmEmail=address)
    assert (ASKED in said) == bool(address)
    cloud.client("cloudformation").update_termination_protection(StackName=NAME, EnableTerminationProtection=False)
    cloud.client("cloudformation").delete_stack(StackName=NAME)
    cloud.client("logs").create_log_group(logGroupName=API)
    cloud.formation().done.clear()
    said = compare(cloud, template.composed())
    assert "Import AWS::Logs::LogGroup ApiLogs" in said
    assert (ASKED in said) == bool(address)


def test_rehearsal_of_a_stack_that_is_empty_is_what_its_deployment_does(cloud: Cloud) -> None:
    """It was to begin with tables that exist, and was not given them."""
    client = cloud.client("cloudformation")
    client.create_stack(StackName=NAME, TemplateBody='{"Resources": {}}', EnableTerminationProtection=True)
    cloud.formation().stacks[NAME].status = "IMPORT_ROLLBACK_COMPLETE"
    assert compare(cloud, template.composed())[0].endswith("which is not whole (IMPORT_ROLLBACK_COMPLETE)")


def test_rehearsal_says_whom_another_address_asks(cloud: Cloud) -> None:
    """An unchanged address needs no confirmation, and neither does removing it."""
    put()
    cloud.formation().done.clear()
    assert ASKED in compare(cloud, template.composed(), AlarmEmail="ops@example.com")
    cloud.formation().done.clear()
    assert compare(cloud, template.composed(), AlarmEmail="ops@example.com") == []
