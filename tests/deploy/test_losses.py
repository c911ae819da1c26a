"""A table or role that was deleted by hand: each command reports it, and the documented fix works."""

import pytest

from infra import data
from tests.deploy.cloud import Cloud
from tests.deploy.conftest import Deployment

pytestmark = pytest.mark.xdist_group("deploy")
TABLE, ROLE = "latchkey-dev-emails", "latchkey-dev-us-east-1-api"
NAME = "latchkey-dev-data"


def delete_role(cloud: Cloud) -> None:
    """Delete the role of the API's function."""
    cloud.client("iam").delete_role_policy(RoleName=ROLE, PolicyName="latchkey")
    cloud.client("iam").delete_role(RoleName=ROLE)


def delete_table(cloud: Cloud) -> None:
    """Delete the table of email claims."""
    cloud.client("dynamodb").update_table(TableName=TABLE, DeletionProtectionEnabled=False)
    cloud.client("dynamodb").delete_table(TableName=TABLE)


@pytest.mark.parametrize("command", [("status",), ("deploy", "--dry-run"), ("deploy",)], ids=" ".join)
def test_deleted_table_and_role_are_named_with_the_fix(deployment: Deployment, command: tuple[str, ...]) -> None:
    """Each command names the deleted table and role and the section of the guide, because no update creates
    them again.
    """
    if TABLE in deployment.cloud.tables():
        delete_table(deployment.cloud)
        delete_role(deployment.cloud)
    done = deployment.checkout.run(command[0], "dev", *command[1:])
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert f"table {TABLE}, role {ROLE}. docs/operating.md, " in done.error


def test_documented_fix_recreates_deleted_resources(deployment: Deployment) -> None:
    """After the documented deletion of the stack, a deployment creates the lost resources again and keeps all items."""
    cloud = deployment.cloud
    cloud.client("dynamodb").put_item(TableName="latchkey-dev-status", Item={"what": {"S": "a"}, "at": {"S": "1"}})
    client = cloud.client("cloudformation")
    client.update_termination_protection(StackName=NAME, EnableTerminationProtection=False)
    client.delete_stack(StackName=NAME)
    deployment.checkout.succeeds("deploy", "dev")
    assert set(cloud.tables()) == set(data.tables("dev"))
    assert (ROLE in cloud.roles(), cloud.undecryptable()) == (True, [])
    assert cloud.client("dynamodb").scan(TableName="latchkey-dev-status")["Count"] == 1
    deployment.checkout.succeeds("status", "dev")
