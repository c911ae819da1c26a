"""`make status` says what to do about a stack that failed or is being changed, and shows no other stage's alarms."""

import re

import pytest

from tests.deploy.conftest import Deployment

pytestmark = pytest.mark.xdist_group("drift")
NAME = "latchkey-dev-data"
AGAIN = "make deploy STAGE=dev"
STATES = {
    "UPDATE_ROLLBACK_FAILED": f"aws cloudformation continue-update-rollback --stack-name {NAME}, and {AGAIN}.",
    "IMPORT_ROLLBACK_FAILED": f"Callers get errors from then until this is done: {AGAIN}.",
    "UPDATE_IN_PROGRESS": f"Wait until that is over, then {AGAIN}.",
    "DELETE_FAILED": f"keeps every table, and made anew: {AGAIN}.",
    "ROLLBACK_FAILED": f"keeps every table, and made anew: {AGAIN}.",
}


def remedies(said: str) -> list[str]:
    """Return what status says is to be done."""
    return re.findall(r"^remedy    (.+)$", said, re.MULTILINE)


@pytest.mark.parametrize("state", STATES)
def test_status_of_a_data_stack_that_failed_says_what_to_do(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """What a deployment says, or does."""
    monkeypatch.setattr(deployment.cloud.formation().stacks[NAME], "status", state)
    said = deployment.checkout.succeeds("status", "dev")
    assert f"data      {NAME}: {state}\n" in said
    (told,) = remedies(said)
    assert told.endswith(STATES[state])
    refused = deployment.checkout.run("deploy", "dev", "--dry-run").error.strip()
    assert told == refused.replace("run this again", AGAIN) or refused == ""


def test_status_of_a_stack_that_is_whole_says_nothing_to_do(deployment: Deployment) -> None:
    """Whatever CloudFormation did last."""
    assert remedies(deployment.checkout.succeeds("status", "dev")) == []


def test_stack_that_is_made_anew_has_nothing_that_was_deleted_by_hand(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What isn't there CloudFormation has deleted itself, or never made."""
    cloud = deployment.cloud
    cloud.client("cloudwatch").delete_alarms(AlarmNames=["latchkey-dev-faults"])
    monkeypatch.setattr(cloud.formation().stacks[NAME], "status", "DELETE_FAILED")
    assert "gone " not in deployment.checkout.succeeds("status", "dev")
    monkeypatch.undo()
    deployment.checkout.succeeds("deploy", "dev")


def test_alarms_are_the_stages_own(deployment: Deployment) -> None:
    """Of a stage whose name begins with this one's they are not."""
    alarms = deployment.cloud.client("cloudwatch")
    (own,) = alarms.describe_alarms(AlarmNames=["latchkey-dev-faults"])["MetricAlarms"]
    kept = {name: own[name] for name in ("MetricName", "Namespace", "Period", "EvaluationPeriods", "Threshold")}
    alarms.put_metric_alarm(
        AlarmName="latchkey-dev-x-faults", ComparisonOperator="GreaterThanThreshold", Statistic="Sum", **kept
    )
    said = deployment.checkout.succeeds("status", "dev")
    assert "alarm     faults: " in said
    assert "x-faults" not in said
    assert said.count("alarm     ") == 16
    alarms.delete_alarms(AlarmNames=["latchkey-dev-x-faults"])


def test_api_that_is_deployed_under_another_name_is_told_of(deployment: Deployment) -> None:
    """As a deployment does, which refuses to leave it open beside a new one; it isn't one that was deleted."""
    gateways, (api,) = deployment.cloud.client("apigateway"), deployment.cloud.apis()
    (own,) = gateways.get_stages(restApiId=api)["item"]
    gateways.create_stage(restApiId=api, stageName="v1", deploymentId=own["deploymentId"])
    gateways.delete_stage(restApiId=api, stageName="api")
    said = deployment.checkout.succeeds("status", "dev")
    (told,) = remedies(said)
    assert told.startswith("The API of dev is deployed as v1, ")
    assert deployment.checkout.run("deploy", "dev", "--dry-run").error.strip() == told
    assert "gone " not in said
