"""`make status` prints the fix for a failed or busy stack, and shows the alarms of its own stage only."""

import re

import pytest

from tests.deploy.conftest import Deployment

pytestmark = pytest.mark.xdist_group("drift")
NAME = "latchkey-dev-data"
AGAIN = "make deploy STAGE=dev"
STATES = {
    "UPDATE_ROLLBACK_FAILED": f"aws cloudformation continue-update-rollback --stack-name {NAME}, and {AGAIN}.",
    "IMPORT_ROLLBACK_FAILED": f"Callers get errors from then until this is done: {AGAIN}.",
    "UPDATE_IN_PROGRESS": f"Wait until it has ended, then {AGAIN}.",
    "DELETE_FAILED": f"keeps every table, and recreate it: {AGAIN}.",
    "ROLLBACK_FAILED": f"keeps every table, and recreate it: {AGAIN}.",
}


def remedies(said: str) -> list[str]:
    """Return the fixes that `make status` prints."""
    return re.findall(r"^remedy    (.+)$", said, re.MULTILINE)


@pytest.mark.parametrize("state", STATES)
def test_status_of_a_failed_data_stack_names_the_fix(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """For a failed data stack, `make status` prints the same fix as a deployment."""
    monkeypatch.setattr(deployment.cloud.formation().stacks[NAME], "status", state)
    said = deployment.checkout.succeeds("status", "dev")
    assert f"data      {NAME}: {state}\n" in said
    (told,) = remedies(said)
    assert told.endswith(STATES[state])
    refused = deployment.checkout.run("deploy", "dev", "--dry-run").error.strip()
    assert told == refused.replace("run this again", AGAIN) or refused == ""


def test_status_of_a_complete_stack_has_no_remedy(deployment: Deployment) -> None:
    """For a complete stack `make status` prints no fix."""
    assert remedies(deployment.checkout.succeeds("status", "dev")) == []


def test_failed_stack_has_no_drift(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make status` doesn't list deleted resources of a stack that will be created again."""
    cloud = deployment.cloud
    cloud.client("cloudwatch").delete_alarms(AlarmNames=["latchkey-dev-faults"])
    monkeypatch.setattr(cloud.formation().stacks[NAME], "status", "DELETE_FAILED")
    assert "gone " not in deployment.checkout.succeeds("status", "dev")
    monkeypatch.undo()
    deployment.checkout.succeeds("deploy", "dev")


def test_status_shows_only_the_stages_alarms(deployment: Deployment) -> None:
    """`make status` doesn't show the alarms of a stage whose name begins with the name of this stage."""
    alarms = deployment.cloud.client("cloudwatch")
    (own,) = alarms.describe_alarms(AlarmNames=["latchkey-dev-faults"])["MetricAlarms"]
    kept = {name: own[name] for name in ("MetricName", "Namespace", "Period", "EvaluationPeriods", "Threshold")}
    alarms.put_metric_alarm(
        AlarmName="latchkey-dev-x-faults", ComparisonOperator="GreaterThanThreshold", Statistic="Sum", **kept
    )
    said = deployment.checkout.succeeds("status", "dev")
    assert "alarm     faults: " in said
    assert "x-faults" not in said
    assert said.count("alarm     ") == 18
    alarms.delete_alarms(AlarmNames=["latchkey-dev-x-faults"])


def test_renamed_gateway_stage_is_reported(deployment: Deployment) -> None:
    """If an API is deployed under another stage name, `make status` prints the same error as a deployment, and doesn't
    report the API as deleted.
    """
    gateways, (api,) = deployment.cloud.client("apigateway"), deployment.cloud.apis()
    (own,) = gateways.get_stages(restApiId=api)["item"]
    gateways.create_stage(restApiId=api, stageName="v1", deploymentId=own["deploymentId"])
    gateways.delete_stage(restApiId=api, stageName="api")
    said = deployment.checkout.succeeds("status", "dev")
    (told,) = remedies(said)
    assert told.startswith("The API of dev is deployed as v1, ")
    assert deployment.checkout.run("deploy", "dev", "--dry-run").error.strip() == told
    assert "gone " not in said
