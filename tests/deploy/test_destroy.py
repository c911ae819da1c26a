"""`make destroy`, against moto's server: the service alone, everything, or nothing after a wrong word."""

import pytest

from infra import data, deployed
from infra.deploy import package
from tests.deploy.conftest import Deployment

pytestmark = [
    pytest.mark.xdist_group("deploy"),
]


def test_region_without_the_stage_is_named_and_nothing_is_said_to_be_removed(deployment: Deployment) -> None:
    """Whoever has the wrong account or region set sees it."""
    assert deployment.checkout.succeeds("destroy", "prod").splitlines() == [
        "Removing prod from account 123456789012, region us-east-1: its data is kept.",
        "No service of prod is there.",
        "No data of prod is there.",
    ]
    said = deployment.checkout.succeeds("destroy", "prod", "--data", "delete", typed="delete prod\n")
    assert said.endswith("No data of prod is there.\n")
    assert len(deployment.cloud.apis()) == 1


def test_service_of_production_goes_after_a_typed_word_alone(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its callers get nothing from then on."""
    monkeypatch.setattr(deployed, "found", lambda _stage: [{"name": "api_handler"}])
    done = deployment.checkout.run("destroy", "prod", typed="\n")
    assert (done.status, done.error) == (1, "Not confirmed; nothing was removed.\n")
    assert "Nothing answers the callers of prod until it is deployed again." in done.said


def test_wrong_word_removes_nothing(deployment: Deployment) -> None:
    """Not the data, and not the service either."""
    cloud = deployment.cloud
    for typed in ("dev\n", "delete prod\n", "\n"):
        done = deployment.checkout.run("destroy", "dev", "--data", "delete", typed=typed)
        assert done.status == 1
        assert done.error == "Not confirmed; nothing was removed.\n"
    assert set(cloud.functions()) == {f"latchkey-dev{end}" for end in package.FUNCTIONS.values()}
    assert len(cloud.apis()) == 1
    assert set(cloud.tables()) == set(data.tables("dev"))


def test_service_goes_and_data_stays(deployment: Deployment) -> None:
    """What a deploy afterwards brings back, to the same data."""
    cloud = deployment.cloud
    said = deployment.checkout.succeeds("destroy", "dev")
    assert "The data is kept" in said
    assert (cloud.apis(), cloud.functions()) == ([], {})
    assert set(cloud.tables()) == set(data.tables("dev"))
    assert "The data stack is up to date." in deployment.checkout.succeeds("deploy", "dev")
    assert len(cloud.apis()) == 1


def test_destroy_that_fails_does_not_say_that_all_runs_on(deployment: Deployment) -> None:
    """A part of the service may be gone; the next time finishes."""
    refused = ("ServiceException", "Not now.")
    deployment.cloud.refuses["DELETE /2015-03-31/functions"] = [refused]
    done = deployment.checkout.run("destroy", "dev")
    assert done.status == 1
    assert "The data was not touched; of the service a part may be gone. Run this again" in done.error
    deployment.checkout.succeeds("destroy", "dev")
    assert deployment.cloud.functions() == {}


def test_typed_word_removes_everything(deployment: Deployment) -> None:
    """Service, stack and tables; another stage's table of the same account stays, and once more does no harm."""
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
