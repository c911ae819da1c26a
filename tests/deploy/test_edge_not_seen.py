"""A stage without CloudFront is shown and destroyed by credentials that may not look into its region."""

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
    """An account in which the region of CloudFront is closed."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.chdir(ROOT)
    cloud.closed[front.REGION] = request.param, REFUSED[request.param]
    return cloud


def delete(stage: str = "dev") -> tuple[str, list[str]]:
    """Delete what is in front of a stage; return what is left, and what the owner reads."""
    said: list[str] = []
    return front.Front(stage, said.append).delete(), said


@pytest.mark.usefixtures("closed")
def test_status_says_that_cloudfront_could_not_be_looked_for() -> None:
    """Everything else of it is shown."""
    assert (
        front.Front("dev", print).status(None).state.startswith("Could not look for CloudFront in us-east-1: An error")
    )


@pytest.mark.usefixtures("closed")
def test_destroy_goes_on_where_the_stage_is_not_set_up_for_cloudfront() -> None:
    """It says what it couldn't see."""
    left, said = delete()
    assert left == ""
    assert "Could not look for CloudFront" in said[0]
    assert "isn't set up for it, so going on" in said[0]


@pytest.mark.parametrize("how", ["configured", "api closed"])
def test_destroy_stops_where_the_stage_is_set_up_for_cloudfront(
    closed: Cloud, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A distribution that is left behind costs money, and its domain leads to it."""
    if how == "configured":
        monkeypatch.setattr(front, "is_believed", lambda _: True)
    else:
        closed.client("cloudformation", "eu-west-1").create_stack(
            StackName="latchkey-dev-origin", TemplateBody='{"Resources": {}}'
        )
    with pytest.raises(DeployError, match="set up for it, so nothing was removed: run this again with credentials"):
        delete()


@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1"])
def test_partition_without_this_cloudfront_is_asked_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    """Its credentials are unknown in us-east-1; and EDGE=1 is refused there."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.chdir(ROOT)
    cloud.closed[front.REGION] = "InvalidClientTokenId", "The security token included in the request is invalid."
    assert front.Front("dev", print).status(None).state == "none"
    assert delete() == ("", [])
    with pytest.raises(DeployError, match=f"EDGE=1 isn't made for {region}"):
        front.check("dev", "api.example.com")


def test_other_errors_are_not_taken_for_a_refusal(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFormation that is out of order doesn't mean that there is no CloudFront."""
    monkeypatch.chdir(ROOT)
    cloud.closed[front.REGION] = "ServiceFailure", "Internal failure"
    with pytest.raises(ClientError, match="Internal failure"):
        delete()
