"""The data stack, whatever state it is in: nothing is lost, nothing is made twice, and what can't go on says why."""

import json
from copy import deepcopy

import pytest

from infra import template
from infra.data_stack.stack import DataStack
from infra.failed import DeployError
from tests.deploy.cloud import Cloud
from tests.deploy.stacks import CloudFormation
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("stack")
NAME = "latchkey-dev-data"


@pytest.fixture
def formation(cloud: Cloud) -> CloudFormation:
    """CloudFormation in it."""
    return cloud.formation()


def put(wanted: template.Template | None = None) -> list[str]:
    """Put the stack up and return what the owner reads."""
    said: list[str] = []
    DataStack("dev", said.append).put(wanted or template.composed())
    return said


def indexed(*indexes: tuple[str, str]) -> template.Template:
    """Return the template with indexes of accounts that it doesn't have: name and attribute."""
    wanted = template.composed()
    accounts = wanted["Resources"]["Accounts"]["Properties"]
    for name, attribute in indexes:
        accounts["AttributeDefinitions"].append({"AttributeName": attribute, "AttributeType": "S"})
        key = [{"AttributeName": attribute, "KeyType": "HASH"}]
        index = {"IndexName": name, "KeySchema": key, "Projection": {"ProjectionType": "ALL"}}
        accounts["GlobalSecondaryIndexes"].append(index)
    return wanted


def indexes(cloud: Cloud) -> set[str]:
    """Return the indexes that accounts have."""
    table = cloud.client("dynamodb").describe_table(TableName="latchkey-dev-accounts")["Table"]
    return {index["IndexName"] for index in table["GlobalSecondaryIndexes"]}


def test_every_role_has_the_boundary_from_the_first(cloud: Cloud, formation: CloudFormation) -> None:
    """Where nobody may make a role without one; a later deployment keeps it."""
    bound = {"Boundary": "arn:aws:iam::123456789012:policy/most"}
    DataStack("dev", print).put(template.composed(), bound)
    put()
    iam = cloud.client("iam")
    roles = [iam.get_role(RoleName=name)["Role"] for name in cloud.roles()]
    assert [each["PermissionsBoundary"]["PermissionsBoundaryArn"] for each in roles] == [*bound.values()] * 5
    assert formation.stacks[NAME].parameters["Boundary"] == bound["Boundary"]


def protected(cloud: Cloud) -> set[bool]:
    """Return whether the tables refuse to be deleted."""
    tables = cloud.client("dynamodb")
    return {tables.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"] for name in cloud.tables()}


def test_stack_that_could_not_be_created_is_created_the_next_time(cloud: Cloud, formation: CloudFormation) -> None:
    """Its tables went with it, so that none is in the way; it is whole, and protected, after the second time."""
    formation.fails_at = "FaultsAlarm"
    with pytest.raises(DeployError, match="could not be created; nothing else was touched"):
        put()
    assert (cloud.stacks(), cloud.tables(), cloud.roles()) == ({NAME: "ROLLBACK_COMPLETE"}, [], [])
    put()
    assert cloud.stacks() == {NAME: "UPDATE_COMPLETE"}
    assert protected(cloud) == {True}
    assert formation.stacks[NAME].protected


@pytest.mark.parametrize(
    "status", exhaustive.after(1, ["DELETE_FAILED", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"])
)
def test_stack_that_can_only_be_deleted_is_made_anew_around_its_tables(
    cloud: Cloud, formation: CloudFormation, status: str
) -> None:
    """With every item that is in them."""
    put()
    cloud.client("dynamodb").put_item(TableName="latchkey-dev-emails", Item={"email": {"S": "a@example.com"}})
    formation.stacks[NAME].status = status
    said = put()
    assert any("which is not whole" in line for line in said)
    assert cloud.stacks() == {NAME: "UPDATE_COMPLETE"}
    assert cloud.client("dynamodb").scan(TableName="latchkey-dev-emails")["Count"] == 1
    assert protected(cloud) == {True}


def test_tables_without_a_stack_are_taken_into_it(cloud: Cloud, formation: CloudFormation) -> None:
    """As after a stack that was deleted by hand: the tables were kept, and are in the way of a new one."""
    put()
    del formation.stacks[NAME]
    for role in cloud.roles():
        cloud.client("iam").delete_role_policy(RoleName=role, PolicyName="latchkey")
        cloud.client("iam").delete_role(RoleName=role)
    for group in cloud.client("logs").describe_log_groups()["logGroups"]:
        cloud.client("logs").delete_log_group(logGroupName=group["logGroupName"])
    cloud.dashboards.clear()
    said = put()
    assert any(line.startswith("Taking what exists already into the data stack") for line in said)
    assert set(formation.stacks[NAME].made) == set(template.composed()["Resources"])


def test_table_that_an_older_version_left_is_taken_into_the_stack_there_is(
    cloud: Cloud, formation: CloudFormation
) -> None:
    """Rolled back past it by other means, and upgraded again: it exists, and isn't the stack's."""
    older = template.composed()
    del older["Resources"]["Consents"]
    put(older)
    consents = deepcopy(template.composed()["Resources"]["Consents"]["Properties"])
    cloud.client("dynamodb").create_table(
        TableName="latchkey-dev-consents",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=consents["AttributeDefinitions"],
        KeySchema=consents["KeySchema"],
    )
    put()
    assert "Consents" in formation.stacks[NAME].made
    assert protected(cloud) == {True}
    backups = cloud.client("dynamodb").describe_continuous_backups(TableName="latchkey-dev-consents")
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_version_with_two_new_indexes_of_a_table_gets_one_at_a_time(cloud: Cloud) -> None:
    """DynamoDB makes no two in one update, and CloudFormation would fail."""
    put()
    said = put(indexed(("by_one", "one"), ("by_two", "two"), ("by_three", "three")))
    assert [line for line in said if "step" in line] == [
        f"One new index of a table at a time: step {number} of 3 …" for number in (1, 2, 3)
    ]
    assert indexes(cloud) == {"directory", "by_email", "by_one", "by_two", "by_three"}


def test_older_version_takes_no_table_and_no_index_away(cloud: Cloud, formation: CloudFormation) -> None:
    """Rolled back, and upgraded again: whatever was there is there."""
    put(indexed(("by_one", "one")))
    older = template.composed()
    del older["Resources"]["Consents"]
    put(older)
    assert indexes(cloud) == {"directory", "by_email", "by_one"}
    assert "latchkey-dev-consents" in cloud.tables()
    put(indexed(("by_one", "one")))
    assert cloud.stacks() == {NAME: "UPDATE_COMPLETE"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("CREATE_IN_PROGRESS", "is being changed by somebody else"),
        ("UPDATE_IN_PROGRESS", "is being changed by somebody else"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name latchkey-dev-data"),
    ],
)
def test_stack_that_can_not_go_on_says_why_and_what_to_do(
    cloud: Cloud, formation: CloudFormation, status: str, said: str
) -> None:
    """And is left alone."""
    put()
    formation.stacks[NAME].status = status
    with pytest.raises(DeployError, match=said):
        put()
    assert formation.stacks[NAME].status == status


def test_of_two_who_create_it_one_is_refused(cloud: Cloud) -> None:
    """The second saw no stack when it looked, and the first was faster."""
    put()
    with pytest.raises(DeployError, match="Somebody else has just begun to create"):
        DataStack("dev", print)._create(template.composed(), {})


def test_update_that_fails_leaves_what_was_there(cloud: Cloud, formation: CloudFormation) -> None:
    """It is rolled back, and the next one passes."""
    put()
    formation.fails_at = "FaultsAlarm"
    with pytest.raises(DeployError, match="could not be brought up to date"):
        put(indexed(("by_one", "one")))
    put(indexed(("by_one", "one")))
    assert "by_one" in indexes(cloud)


def test_template_is_as_short_as_cloudformation_takes(formation: CloudFormation) -> None:
    """51,200 bytes, of which a seventh is left to grow into."""
    assert len(template.as_text(template.composed("keys@mail.example.com"))) < 44_000


@pytest.mark.parametrize("lost", [(), ("latchkey-dev-sessions",)], ids=["whole", "without a table"])
def test_stack_from_before_a_parameter_is_brought_up_to_date(
    cloud: Cloud, formation: CloudFormation, lost: tuple[str, ...]
) -> None:
    """CloudFormation keeps no value that a stack hasn't: the parameter begins with its default."""
    older = template.composed()
    del older["Parameters"]["Protection"], older["Conditions"]["IsProtected"]
    older = json.loads(template.as_text(older).replace('{"Fn::If":["IsProtected",true,false]}', "false"))
    given = [{"ParameterKey": "Stage", "ParameterValue": "dev"}]
    cloud.client("cloudformation").create_stack(
        StackName=NAME, TemplateBody=template.as_text(older), Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    for table in lost:
        del formation.stacks[NAME].made[table.rpartition("-")[2].title()]
        del formation.stacks[NAME].template["Resources"][table.rpartition("-")[2].title()]
    DataStack("dev", print).planned(template.composed())
    put()
    assert formation.stacks[NAME].parameters["Protection"] == "on"
    assert protected(cloud) == {True}


@pytest.mark.parametrize(
    ("region", "start"), [("eu-west-1", "https://eu-west-1.console.aws.amazon.com/"), ("us-gov-west-1", "latchkey-dev")]
)
def test_dashboard_is_named_where_its_link_would_be_wrong(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, region: str, start: str
) -> None:
    """Consoles of other partitions are elsewhere."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    put()
    stack = DataStack("dev", print).look().stack or {}
    (found,) = [each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == "Dashboard"]
    assert found.startswith(start)
