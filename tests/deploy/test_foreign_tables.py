"""A deployment ignores, and `make destroy` keeps, another owner's table whose name begins like the stage's tables."""

from typing import Any

import pytest

from infra import template
from infra.data_stack.stack import DataStack
from infra.deploy import destroy
from tests.deploy.cloud import Cloud

pytestmark = pytest.mark.xdist_group("stack")
FOREIGN = "latchkey-dev-x"


@pytest.fixture
def data(cloud: Cloud) -> DataStack:
    """The data stack of an account in which another owner has a table with deletion protection."""
    key: Any = {"AttributeName": "id"}
    cloud.client("dynamodb").create_table(
        TableName=FOREIGN,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{**key, "AttributeType": "S"}],
        KeySchema=[{**key, "KeyType": "HASH"}],
        DeletionProtectionEnabled=True,
    )
    return DataStack("dev", lambda _: None)


def test_deployment_ignores_a_foreign_table(cloud: Cloud, data: DataStack) -> None:
    """A deployment doesn't import a table that no template contains."""
    for _ in range(2):
        data.put(template.composed())
    assert cloud.stacks() == {"latchkey-dev-data": "UPDATE_COMPLETE"}
    assert FOREIGN not in data.look().tables


def test_destroy_keeps_and_names_a_foreign_table(
    cloud: Cloud, data: DataStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make destroy` keeps a table that no template contains, and prints its name."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    data.put(template.composed())
    destroy._delete_data("dev", data, data.look().tables)
    assert cloud.tables() == [FOREIGN]
    assert f"made no table of that name: {FOREIGN}." in capsys.readouterr().out


def test_destroy_deletes_a_table_of_another_version(
    cloud: Cloud, data: DataStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make destroy` deletes a table that is in the stack but not in the template, because another version
    created it.
    """
    monkeypatch.setattr("time.sleep", lambda _: None)
    newer = template.composed()
    newer["Resources"]["Later"] = newer["Resources"]["Emails"] | {
        "Properties": newer["Resources"]["Emails"]["Properties"] | {"TableName": {"Fn::Sub": "latchkey-${Stage}-later"}}
    }
    data.put(newer)
    assert "latchkey-dev-later" in cloud.tables()
    destroy._delete_data("dev", data, data.look().tables)
    assert cloud.tables() == [FOREIGN]
