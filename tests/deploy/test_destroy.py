"""`make destroy` deletes the service and, after a confirmation, also the data. The tests use moto's server."""

import pytest

from infra import data, deployed
from infra.deploy import package
from tests.deploy.conftest import Deployment

pytestmark = [
    pytest.mark.xdist_group("deploy"),
]


def test_destroy_of_a_missing_stage_names_account_and_region(deployment: Deployment) -> None:
    """`make destroy` of a missing stage says in which account and region it found neither service nor data."""
    assert deployment.checkout.succeeds("destroy", "prod").splitlines() == [
        "Removing prod from account 123456789012, region us-east-1: its data is kept.",
        "No service of prod is there.",
        "No data of prod is there.",
    ]
    said = deployment.checkout.succeeds("destroy", "prod", "--data", "delete", typed="delete prod\n")
    assert said.endswith("No data of prod is there.\n")
    assert len(deployment.cloud.apis()) == 1


def test_destroy_of_production_needs_confirmation(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make destroy` deletes the service of production only after a typed confirmation."""
    monkeypatch.setattr(deployed, "found", lambda _stage: [{"name": "api_handler"}])
    done = deployment.checkout.run("destroy", "prod", typed="\n")
    assert (done.status, done.error) == (1, "Not confirmed; nothing was removed.\n")
    assert "Nothing answers the callers of prod until it is deployed again." in done.said


def test_wrong_confirmation_removes_nothing(deployment: Deployment) -> None:
    """After a wrong confirmation neither data nor service is deleted."""
    cloud = deployment.cloud
    for typed in ("dev\n", "delete prod\n", "\n"):
        done = deployment.checkout.run("destroy", "dev", "--data", "delete", typed=typed)
        assert done.status == 1
        assert done.error == "Not confirmed; nothing was removed.\n"
    assert set(cloud.functions()) == {f"latchkey-dev{end}" for end in package.FUNCTIONS.values()}
    assert len(cloud.apis()) == 1
    assert set(cloud.tables()) == set(data.tables("dev"))


def test_destroy_keeps_data(deployment: Deployment) -> None:
    """`make destroy` keeps the data, which the next deployment uses."""
    cloud = deployment.cloud
    said = deployment.checkout.succeeds("destroy", "dev")
    assert "The data is kept" in said
    assert (cloud.apis(), cloud.functions()) == ([], {})
    assert set(cloud.tables()) == set(data.tables("dev"))
    assert "The data stack is up to date." in deployment.checkout.succeeds("deploy", "dev")
    assert len(cloud.apis()) == 1


def test_failed_destroy_says_the_service_may_be_partial(deployment: Deployment) -> None:
    """A failed `make destroy` says that a part of the service may be deleted, and a second run deletes the rest."""
    refused = ("ServiceException", "Not now.")
    deployment.cloud.refuses["DELETE /2015-03-31/functions"] = [refused]
    done = deployment.checkout.run("destroy", "dev")
    assert done.status == 1
    assert (
        "The data was not touched; of the service a part may be gone. Fix the cause, then run this again" in done.error
    )
    deployment.checkout.succeeds("destroy", "dev")
    assert deployment.cloud.functions() == {}


def test_confirmed_destroy_removes_everything(deployment: Deployment) -> None:
    """After a confirmation, `make destroy` deletes this stage's service, stack and tables, and no other stage's."""
    cloud = deployment.cloud
    cloud.client("dynamodb").create_table(
        TableName="latchkey-prod-accounts",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for _ in range(2):
        deployment.checkout.succeeds("destroy", "dev", "--data", "delete", typed="delete dev\n")
        assert (cloud.apis(), cloud.functions(), cloud.stacks()) == ([], {}, {})
        assert cloud.tables() == ["latchkey-prod-accounts"]
        assert cloud.roles() == []
