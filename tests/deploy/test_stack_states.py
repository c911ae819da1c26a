"""A data stack, or a table, in a state in which AWS changes nothing: waited for, or one sentence says what to do."""

from pathlib import Path

import pytest

from infra import template
from infra.data_stack.stack import DataStack
from infra.deploy import destroy
from infra.failed import DeployError
from tests.deploy.cloud import Cloud

pytestmark = pytest.mark.xdist_group("stack")
NAME, TABLE = "latchkey-dev-data", "latchkey-dev-emails"


@pytest.fixture
def data(cloud: Cloud) -> DataStack:
    """The data stack of an account with nothing in it."""
    assert cloud
    return DataStack("dev", lambda _: None)


def abandon(cloud: Cloud) -> None:
    """Delete the stack of tables that are kept."""
    client = cloud.client("cloudformation")
    client.update_termination_protection(StackName=NAME, EnableTerminationProtection=False)
    client.delete_stack(StackName=NAME)


def test_rehearsal_says_that_tables_without_a_stack_would_be_taken_in(cloud: Cloud, data: DataStack) -> None:
    """Also a single one, beside a stack that has the others."""
    data.put(template.composed())
    stack = cloud.formation().stacks[NAME]
    del stack.made["Emails"], stack.template["Resources"]["Emails"]
    assert "Import AWS::DynamoDB::Table Emails" in data.planned(template.composed())
    abandon(cloud)
    tables = [each for each in data.planned(template.composed()) if "DynamoDB" in each]
    assert (len(tables), {each.partition(" ")[0] for each in tables}) == (14, {"Import"})


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"])
def test_rehearsal_of_a_stack_that_can_not_be_changed_says_what_to_do(
    cloud: Cloud, data: DataStack, status: str
) -> None:
    """As a deployment does."""
    data.put(template.composed())
    cloud.formation().stacks[NAME].status = status
    with pytest.raises(DeployError, match=rf"{status}.*run this again"):
        data.planned(template.composed())


def test_stack_that_could_not_go_back_from_taking_tables_in_is_told_of(cloud: Cloud, data: DataStack) -> None:
    """`continue-update-rollback`, which helps after an update, is refused then."""
    data.put(template.composed())
    cloud.formation().stacks[NAME].status = "IMPORT_ROLLBACK_FAILED"
    with pytest.raises(DeployError, match="delete it, which keeps every table") as told:
        data.put(template.composed())
    assert "continue-update-rollback" not in str(told.value)


def test_stack_that_was_not_given_the_tables_it_began_with_is_made_anew(cloud: Cloud, data: DataStack) -> None:
    """There is nothing in it; one that was whole before is updated."""
    data.put(template.composed())
    cloud.formation().stacks[NAME].status = "IMPORT_ROLLBACK_COMPLETE"
    data.put(template.composed())
    abandon(cloud)
    cloud.client("cloudformation").create_stack(
        StackName=NAME, TemplateBody='{"Resources": {}}', EnableTerminationProtection=True
    )
    cloud.formation().stacks[NAME].status = "IMPORT_ROLLBACK_COMPLETE"
    data.put(template.composed())
    assert cloud.stacks() == {NAME: "UPDATE_COMPLETE"}
    assert len(cloud.formation().stacks[NAME].made) > 14


def test_table_that_is_being_deleted_is_waited_for_and_made_anew(
    cloud: Cloud, data: DataStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFormation imports no table that is on its way out, and makes none while it is."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    data.put(template.composed())
    abandon(cloud)
    cloud.client("dynamodb").put_item(TableName=TABLE, Item={"email": {"S": "a"}})
    cloud.deleting[TABLE] = 3
    said: list[str] = []
    DataStack("dev", said.append).put(template.composed())
    assert f"Waiting until the table {TABLE} is deleted …" in said
    assert len(cloud.tables()) == 14
    assert cloud.client("dynamodb").scan(TableName=TABLE)["Count"] == 0


def test_tables_that_can_not_be_taken_in_are_named_with_the_reason(cloud: Cloud, data: DataStack) -> None:
    """In CloudFormation's words."""
    data.put(template.composed())
    abandon(cloud)
    cloud.formation().unimportable = "Table is being backed up."
    with pytest.raises(DeployError, match=rf"{TABLE}.* could not be taken into .*: Table is being backed up\. Nothing"):
        data.put(template.composed())


def test_destroy_that_was_interrupted_leaves_alone_what_is_being_deleted(
    cloud: Cloud, data: DataStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB refuses to change such a table; the others are deleted."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.chdir(Path(__file__).parents[2])
    data.put(template.composed())
    cloud.deleting[TABLE] = 3
    destroy._delete_data("dev", data, data.look().tables)
    assert cloud.tables() == []
