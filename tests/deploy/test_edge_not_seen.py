"""`make status` and `make destroy` with credentials that can't access CloudFront's region."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.edge import front
from infra.failed import DeployError
from tests.deploy.cloud import Cloud

pytestmark = pytest.mark.xdist_group("edge")
REFUSED = {
    "InvalidClientTokenId": "The security token included in the request is invalid.",
    "AccessDenied": "User: arn:aws:iam::1:user/a is not authorized, with an explicit deny in a service control policy",
}
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=REFUSED)
def closed(request: pytest.FixtureRequest, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An account whose credentials are denied access to CloudFront's region."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.chdir(ROOT)
    cloud.closed[front.REGION] = request.param, REFUSED[request.param]
    return cloud


def delete(stage: str = "dev") -> tuple[str, list[str]]:
    """Delete a stage's edge, and return what couldn't be deleted and the printed lines."""
    said: list[str] = []
    return front.Front(stage, said.append).delete(), said


@pytest.mark.usefixtures("closed")
def test_status_without_access_to_cloudfront_says_so() -> None:
    """`make status` says that it couldn't look for CloudFront, and shows everything else."""
    assert (
        front.Front("dev", print).status(None).state.startswith("Could not look for CloudFront in us-east-1: An error")
    )


@pytest.mark.usefixtures("closed")
def test_destroy_continues_when_the_stage_has_no_edge() -> None:
    """`make destroy` continues, with a notice, if the stage isn't configured for CloudFront."""
    left, said = delete()
    assert left == ""
    assert "Could not look for CloudFront" in said[0]
    assert "isn't configured for CloudFront, so this continues" in said[0]


@pytest.mark.parametrize("how", ["configured", "api closed"])
def test_destroy_stops_when_the_stage_has_an_edge(closed: Cloud, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """`make destroy` stops if the stage has an edge, because a distribution that isn't deleted costs money."""
    if how == "configured":
        monkeypatch.setattr(front, "is_believed", lambda _: True)
    else:
        closed.client("cloudformation", "eu-west-1").create_stack(
            StackName="latchkey-dev-origin", TemplateBody='{"Resources": {}}'
        )
    with pytest.raises(DeployError, match="set up for it, so nothing was removed: run this again with credentials"):
        delete()


@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1"])
def test_other_partitions_are_not_queried_for_cloudfront(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    """In other partitions no call is made to us-east-1, and `EDGE=1` is rejected."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.chdir(ROOT)
    cloud.closed[front.REGION] = "InvalidClientTokenId", "The security token included in the request is invalid."
    assert front.Front("dev", print).status(None).state == "none"
    assert delete() == ("", [])
    with pytest.raises(DeployError, match=f"EDGE=1 isn't available in {region}"):
        front.check("dev", "api.example.com")


def test_other_errors_are_raised(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error of CloudFormation isn't taken to mean that the stage has no edge."""
    monkeypatch.chdir(ROOT)
    cloud.closed[front.REGION] = "ServiceFailure", "Internal failure"
    with pytest.raises(ClientError, match="Internal failure"):
        delete()
