"""The edge after a failed call, and the edges of two regions in one account. No service is deployed, to save time."""

import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from infra.edge.front import Front
from infra.failed import DeployError
from tests.deploy.cloud import Cloud, Failure
from tests.deploy.cloud_requests import REGION
from tests.deploy.edge import CERTIFICATE, DOMAIN, headers

pytestmark = pytest.mark.xdist_group("edge")
API = {"rest_api_id": "abc123", "rest_api_url": "https://abc123.execute-api.us-east-1.amazonaws.com/api/"}
CALLS = 4
"""`put` makes three calls that change something: for the secret, CloudFront's stack and the stack that closes the API.
The fourth doesn't exist, so it can't fail.
"""
EU = "eu-central-1"


@pytest.fixture(autouse=True)
def leading_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the domain's DNS point to CloudFront."""

    def answer(url: str, *, timeout: float) -> Any:
        assert timeout
        raise urllib.error.HTTPError(url, 403, "Forbidden", headers(X_Amz_Cf_Id="1"), None)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    monkeypatch.chdir(Path(__file__).parents[2])


def put(region: str, monkeypatch: pytest.MonkeyPatch) -> Front:
    """Deploy CloudFront for an API in a region."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    front = Front("dev", print)
    assert front.put(DOMAIN, CERTIFICATE, API)
    return front


@pytest.mark.parametrize("is_done", [False, True])
def test_edge_that_failed_at_any_call_is_completed_by_a_rerun(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    """Whichever call fails, before or after it takes effect, the next run completes the edge with the same secret."""
    failed = 0
    for at in range(1, CALLS + 1):
        requests.post(f"{cloud.behind}/moto-api/reset", timeout=30).raise_for_status()
        cloud.formations.clear()
        cloud.dashboards.clear()
        cloud.changes.clear()
        cloud.fails = Failure(at, is_done)
        try:
            put(REGION, monkeypatch)
        except ClientError:
            failed += 1
            put(REGION, monkeypatch)
        cloud.fails = None
        assert cloud.stacks() == dict.fromkeys(
            (f"latchkey-dev-edge-{REGION}", "latchkey-dev-origin"), "CREATE_COMPLETE"
        )
        assert cloud.client("ssm").get_parameter(Name="/latchkey/dev/edge")["Parameter"]["Version"] == 1
    assert failed == CALLS - 1


def test_edge_of_another_region_is_left_alone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting the edge of one region doesn't change the edge of another region."""
    put(EU, monkeypatch)
    front = put(REGION, monkeypatch)
    assert front.delete() == ""
    assert cloud.stacks() == {f"latchkey-dev-edge-{EU}": "CREATE_COMPLETE"}
    assert cloud.stacks(EU) == {"latchkey-dev-origin": "CREATE_COMPLETE"}
    assert cloud.client("ssm", EU).get_parameter(Name="/latchkey/dev/edge")


def test_failed_edge_stack_is_recreated_and_a_busy_one_reported(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack whose creation failed is created again, and one that is being updated is reported and not changed."""
    formation = cloud.formation()
    formation.fails_at = "WebAcl"
    with pytest.raises(DeployError, match="could not be created"):
        put(REGION, monkeypatch)
    assert list(cloud.stacks().values()) == ["ROLLBACK_COMPLETE"]
    put(REGION, monkeypatch)
    formation.stacks["latchkey-dev-origin"].status = "UPDATE_IN_PROGRESS"
    with pytest.raises(DeployError, match="is being updated"):
        put(REGION, monkeypatch)


STATES = {
    "UPDATE_ROLLBACK_FAILED": r"aws cloudformation continue-update-rollback --region us-east-1 --stack-name {}, and",
    "UPDATE_IN_PROGRESS": r"The stack {} is being updated .+ \(UPDATE_IN_PROGRESS\)\. Wait until it has ended, then",
    "DELETE_FAILED": r"The stack {} is incomplete \(DELETE_FAILED\)\. To delete and recreate it:",
}


@pytest.mark.parametrize("name", [f"latchkey-dev-edge-{REGION}", "latchkey-dev-origin"])
@pytest.mark.parametrize("state", STATES)
def test_status_of_a_failed_edge_stack_names_the_fix(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, name: str, state: str
) -> None:
    """For each failed state of an edge stack, `make status` prints the same fix as a deployment."""
    front = put(REGION, monkeypatch)
    assert front.status(None).remedies == []
    cloud.formation().stacks[name].status = state
    (told,) = front.status(None).remedies
    assert re.search(f"{STATES[state].format(name)} make deploy STAGE=dev EDGE=1 DOMAIN=… CERTIFICATE=…", told)
