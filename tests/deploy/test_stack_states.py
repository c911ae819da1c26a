"""If a data stack or table can't be changed at the moment, a command waits or prints one line with the fix."""

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
    """The data stack of an empty account."""
    assert cloud
    return DataStack("dev", lambda _: None)


def abandon(cloud: Cloud) -> None:
    """Delete the stack and retain its tables."""
    client = cloud.client("cloudformation")
    client.update_termination_protection(StackName=NAME, EnableTerminationProtection=False)
    client.delete_stack(StackName=NAME)


def test_dry_run_announces_imports(cloud: Cloud, data: DataStack) -> None:
    """A dry run lists the import of one or of all tables that exist outside the stack."""
    data.put(template.composed())
    stack = cloud.formation().stacks[NAME]
    del stack.made["Emails"], stack.template["Resources"]["Emails"]
    assert "Import AWS::DynamoDB::Table Emails" in data.planned(template.composed())
    abandon(cloud)
    tables = [each for each in data.planned(template.composed()) if "DynamoDB" in each]
    assert (len(tables), {each.partition(" ")[0] for each in tables}) == (17, {"Import"})


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"])
def test_dry_run_of_a_busy_or_stuck_stack_fails(cloud: Cloud, data: DataStack, status: str) -> None:
    """A dry run of a busy or stuck stack fails like a deployment of it."""
    data.put(template.composed())
    cloud.formation().stacks[NAME].status = status
    with pytest.raises(DeployError, match=rf"{status}.*run this again"):
        data.planned(template.composed())


def test_failed_import_rollback_is_reported(cloud: Cloud, data: DataStack) -> None:
    """If the rollback of an import failed, the error says to delete the stack.

    `continue-update-rollback` can't repair it.
    """
    data.put(template.composed())
    cloud.formation().stacks[NAME].status = "IMPORT_ROLLBACK_FAILED"
    with pytest.raises(DeployError, match="delete it, which keeps every table") as told:
        data.put(template.composed())
    assert "continue-update-rollback" not in str(told.value)


def test_empty_stack_of_a_failed_import_is_recreated(cloud: Cloud, data: DataStack) -> None:
    """After a failed import, an empty stack is created again, and a stack with resources is updated."""
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
    assert len(cloud.formation().stacks[NAME].made) > 17


def test_table_in_deletion_is_awaited_and_recreated(
    cloud: Cloud, data: DataStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment waits until a table is deleted, and then creates it again."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    data.put(template.composed())
    abandon(cloud)
    cloud.client("dynamodb").put_item(TableName=TABLE, Item={"email": {"S": "a"}})
    cloud.deleting[TABLE] = 3
    said: list[str] = []
    DataStack("dev", said.append).put(template.composed())
    assert f"Waiting until the table {TABLE} is deleted …" in said
    assert len(cloud.tables()) == 17
    assert cloud.client("dynamodb").scan(TableName=TABLE)["Count"] == 0


def test_failed_import_names_the_tables_and_the_reason(cloud: Cloud, data: DataStack) -> None:
    """The error of a failed import names the tables and CloudFormation's reason."""
    data.put(template.composed())
    abandon(cloud)
    cloud.formation().unimportable = "Table is being backed up."
    with pytest.raises(
        DeployError, match=rf"{TABLE}.* could not be imported into .*: Table is being backed up\. Nothing"
    ):
        data.put(template.composed())


def test_rerun_of_destroy_skips_tables_in_deletion(
    cloud: Cloud, data: DataStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeated `make destroy` skips a table that is already in deletion and deletes the others."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.chdir(Path(__file__).parents[2])
    data.put(template.composed())
    cloud.deleting[TABLE] = 3
    destroy._delete_data("dev", data, data.look().tables)
    assert cloud.tables() == []
