"""In every state of the data stack, a deployment loses and duplicates nothing, and an error names the fix."""

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
    """The emulated CloudFormation of an empty account."""
    return cloud.formation()


def put(wanted: template.Template | None = None) -> list[str]:
    """Deploy the data stack and return the printed lines."""
    said: list[str] = []
    DataStack("dev", said.append).put(wanted or template.composed())
    return said


def indexed(*indexes: tuple[str, str]) -> template.Template:
    """Return the template with additional indexes of the accounts table, each given by name and attribute."""
    wanted = template.composed()
    accounts = wanted["Resources"]["Accounts"]["Properties"]
    for name, attribute in indexes:
        accounts["AttributeDefinitions"].append({"AttributeName": attribute, "AttributeType": "S"})
        key = [{"AttributeName": attribute, "KeyType": "HASH"}]
        index = {"IndexName": name, "KeySchema": key, "Projection": {"ProjectionType": "ALL"}}
        accounts["GlobalSecondaryIndexes"].append(index)
    return wanted


def indexes(cloud: Cloud) -> set[str]:
    """Return the names of the accounts table's indexes."""
    table = cloud.client("dynamodb").describe_table(TableName="latchkey-dev-accounts")["Table"]
    return {index["IndexName"] for index in table["GlobalSecondaryIndexes"]}


def test_every_role_has_the_boundary_from_the_start(cloud: Cloud, formation: CloudFormation) -> None:
    """Every role is created with the permissions boundary, and keeps it in a later deployment."""
    bound = {"Boundary": "arn:aws:iam::123456789012:policy/most"}
    DataStack("dev", print).put(template.composed(), bound)
    put()
    iam = cloud.client("iam")
    roles = [iam.get_role(RoleName=name)["Role"] for name in cloud.roles()]
    assert [each["PermissionsBoundary"]["PermissionsBoundaryArn"] for each in roles] == [*bound.values()] * 6
    assert formation.stacks[NAME].parameters["Boundary"] == bound["Boundary"]


def protected(cloud: Cloud) -> set[bool]:
    """Return the different states of the tables' deletion protection."""
    tables = cloud.client("dynamodb")
    return {tables.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"] for name in cloud.tables()}


def test_stack_whose_creation_failed_is_created_again(cloud: Cloud, formation: CloudFormation) -> None:
    """If the creation of a stack was rolled back, the next deployment creates it and protects its tables."""
    formation.fails_at = "FaultsAlarm"
    with pytest.raises(DeployError, match="could not be created; nothing else was changed"):
        put()
    assert (cloud.stacks(), cloud.tables(), cloud.roles()) == ({NAME: "ROLLBACK_COMPLETE"}, [], [])
    put()
    assert cloud.stacks() == {NAME: "UPDATE_COMPLETE"}
    assert protected(cloud) == {True}
    assert formation.stacks[NAME].protected


@pytest.mark.parametrize(
    "status", exhaustive.after(1, ["DELETE_FAILED", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"])
)
def test_failed_stack_is_recreated_around_its_tables(cloud: Cloud, formation: CloudFormation, status: str) -> None:
    """A stack that can only be deleted is created again, and its tables keep all items."""
    put()
    cloud.client("dynamodb").put_item(TableName="latchkey-dev-emails", Item={"email": {"S": "a@example.com"}})
    formation.stacks[NAME].status = status
    said = put()
    assert any("which is incomplete" in line for line in said)
    assert cloud.stacks() == {NAME: "UPDATE_COMPLETE"}
    assert cloud.client("dynamodb").scan(TableName="latchkey-dev-emails")["Count"] == 1
    assert protected(cloud) == {True}


def test_tables_without_a_stack_are_imported(cloud: Cloud, formation: CloudFormation) -> None:
    """A deployment imports tables that were retained when their stack was deleted."""
    put()
    del formation.stacks[NAME]
    for role in cloud.roles():
        cloud.client("iam").delete_role_policy(RoleName=role, PolicyName="latchkey")
        cloud.client("iam").delete_role(RoleName=role)
    for group in cloud.client("logs").describe_log_groups()["logGroups"]:
        cloud.client("logs").delete_log_group(logGroupName=group["logGroupName"])
    cloud.dashboards.clear()
    said = put()
    assert any(line.startswith("Importing existing resources into the data stack") for line in said)
    assert set(formation.stacks[NAME].made) == set(template.composed()["Resources"])


def test_table_outside_the_stack_is_imported(cloud: Cloud, formation: CloudFormation) -> None:
    """A deployment imports a table that exists outside the stack, and protects it."""
    older = template.composed()
    del older["Resources"]["Consents"]
    put(older)
    consents = deepcopy(template.composed()["Resources"]["Consents"]["Properties"])
    keys = {each["AttributeName"] for each in consents["KeySchema"]}
    cloud.client("dynamodb").create_table(
        TableName="latchkey-dev-consents",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[each for each in consents["AttributeDefinitions"] if each["AttributeName"] in keys],
        KeySchema=consents["KeySchema"],
    )
    put()
    assert "Consents" in formation.stacks[NAME].made
    assert protected(cloud) == {True}
    backups = cloud.client("dynamodb").describe_continuous_backups(TableName="latchkey-dev-consents")
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_new_indexes_of_a_table_are_created_one_at_a_time(cloud: Cloud) -> None:
    """A deployment adds several indexes one after another, because DynamoDB rejects two new indexes in one update."""
    put()
    said = put(indexed(("by_one", "one"), ("by_two", "two"), ("by_three", "three")))
    assert [line for line in said if "step" in line] == [
        f"One new index of a table at a time: step {number} of 3 …" for number in (1, 2, 3)
    ]
    assert indexes(cloud) == {"directory", "by_one", "by_two", "by_three"}


def test_older_version_deletes_no_table_or_index(cloud: Cloud, formation: CloudFormation) -> None:
    """A deployment of an older version deletes no table and no index, and the newer version can be deployed again."""
    put(indexed(("by_one", "one")))
    older = template.composed()
    del older["Resources"]["Consents"]
    put(older)
    assert indexes(cloud) == {"directory", "by_one"}
    assert "latchkey-dev-consents" in cloud.tables()
    put(indexed(("by_one", "one")))
    assert cloud.stacks() == {NAME: "UPDATE_COMPLETE"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("CREATE_IN_PROGRESS", "is being updated by another process"),
        ("UPDATE_IN_PROGRESS", "is being updated by another process"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name latchkey-dev-data"),
    ],
)
def test_busy_or_stuck_stack_is_reported(cloud: Cloud, formation: CloudFormation, status: str, said: str) -> None:
    """A deployment doesn't change a stack that is busy or stuck, and the error names the fix."""
    put()
    formation.stacks[NAME].status = status
    with pytest.raises(DeployError, match=said):
        put()
    assert formation.stacks[NAME].status == status


def test_concurrent_creation_is_rejected(cloud: Cloud) -> None:
    """A deployment fails if another process creates the stack at the same time."""
    put()
    with pytest.raises(DeployError, match="Another process has started to create"):
        DataStack("dev", print)._create(template.composed(), {})


def test_failed_update_is_rolled_back(cloud: Cloud, formation: CloudFormation) -> None:
    """A failed update is rolled back, and the next one succeeds."""
    put()
    formation.fails_at = "FaultsAlarm"
    with pytest.raises(DeployError, match="could not be updated"):
        put(indexed(("by_one", "one")))
    put(indexed(("by_one", "one")))
    assert "by_one" in indexes(cloud)


def test_template_fits_cloudformations_limit(formation: CloudFormation) -> None:
    """The template is at least a sixteenth smaller than CloudFormation's limit of 51,200 bytes."""
    assert len(template.as_text(template.composed("keys@mail.example.com"))) < 48_000


@pytest.mark.parametrize("lost", [(), ("latchkey-dev-sessions",)], ids=["whole", "without a table"])
def test_stack_without_a_newer_parameter_is_updated(
    cloud: Cloud, formation: CloudFormation, lost: tuple[str, ...]
) -> None:
    """When an older version's stack is updated, a new parameter gets its default."""
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
def test_dashboard_output_in_another_partition_is_its_name(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, region: str, start: str
) -> None:
    """The output Dashboard is a link in AWS's standard partition, and a name in the others."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    put()
    stack = DataStack("dev", print).look().stack or {}
    (found,) = [each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == "Dashboard"]
    assert found.startswith(start)
