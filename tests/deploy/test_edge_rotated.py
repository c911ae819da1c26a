"""Rotation of the secret with which CloudFront calls the API: no request is rejected at any moment."""

import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.deploy import command
from infra.edge import secret
from infra.edge.front import PROPAGATES_S, Front
from infra.failed import DeployError
from tests.deploy.cloud import Cloud, Failure
from tests.deploy.cloud_requests import REGION
from tests.deploy.edge import CERTIFICATE, DOMAIN, headers
from tests.deploy.stack_template import Stack
from tests.deploy.test_edge_repeated import API, put

pytestmark = pytest.mark.xdist_group("edge")
DISTRIBUTION, ORIGIN = f"latchkey-dev-edge-{REGION}", "latchkey-dev-origin"


def stacks(cloud: Cloud) -> tuple[Stack, Stack]:
    """Return the stack of CloudFront and the stack that closes the API."""
    return cloud.formation().stacks[DISTRIBUTION], cloud.formation().stacks[ORIGIN]


def sent(cloud: Cloud) -> str:
    """Return the secret that CloudFront sends to the API."""
    (origin,) = stacks(cloud)[0].made["Distribution"].resource["Properties"]["DistributionConfig"]["Origins"]
    value: str = origin["OriginCustomHeaders"][0]["HeaderValue"]
    return value


def accepted(cloud: Cloud) -> set[str]:
    """Return the secrets that the web ACL accepts."""
    rules = stacks(cloud)[1].made["WebAcl"].resource["Properties"]["Rules"]
    assert len({rule["Priority"] for rule in rules}) == len(rules)
    return {rule["Statement"]["ByteMatchStatement"]["SearchString"] for rule in rules}


def kept(cloud: Cloud) -> str:
    """Return the secret stored in SSM."""
    value: str = cloud.client("ssm").get_parameter(Name="/latchkey/dev/edge", WithDecryption=True)["Parameter"]["Value"]
    return value


class Watched(list[str]):
    """The names of all calls that change something.

    `refused` contains the calls that were made while the web ACL didn't accept CloudFront's secret.
    """

    def __init__(self, cloud: Cloud) -> None:
        """Watch an account with an edge."""
        super().__init__()
        self.cloud, self.refused = cloud, list[str]()

    def append(self, call: str) -> None:
        """Record a call, and whether the web ACL accepts CloudFront's secret when the call is made."""
        if sent(self.cloud) not in accepted(self.cloud):
            self.refused.append(call)
        super().append(call)


@pytest.fixture(autouse=True)
def waits(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, set[str]]]:
    """The secret that CloudFront sends and the secrets that the API accepts, recorded at each wait.

    A wait takes no time, and DNS points to CloudFront.
    """
    seen: list[tuple[str, set[str]]] = []

    def wait(seconds: float) -> None:
        if seconds == PROPAGATES_S:
            seen.append((sent(cloud), accepted(cloud)))

    def answer(url: str, *, timeout: float) -> None:
        assert timeout
        raise urllib.request.HTTPError(url, 403, "Forbidden", headers(X_Amz_Cf_Id="1"), None)

    monkeypatch.setattr(time, "sleep", wait)
    monkeypatch.setattr(urllib.request, "urlopen", answer)
    monkeypatch.chdir(Path(__file__).parents[2])
    return seen


def test_api_accepts_both_secrets_before_cloudfront_sends_the_new_one(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, waits: list[tuple[str, set[str]]]
) -> None:
    """While the new secret propagates the web ACL accepts both secrets, and afterwards only the new one."""
    front = put(REGION, monkeypatch)
    old, before = kept(cloud), [dict(stack.parameters) for stack in stacks(cloud)]
    front.rotate(API)
    new = kept(cloud)
    assert new != old
    assert waits == [(old, {old, new})]
    assert (sent(cloud), accepted(cloud)) == (new, {new})
    assert [stack.parameters | {"Secret": old} for stack in stacks(cloud)] == before
    assert secret.pending("dev") == ""


def again_by_rotation(front: Front) -> None:
    """Repeat the rotation that failed."""
    front.rotate(API)


def again_by_deployment(front: Front) -> None:
    """Run a deployment after the rotation that failed."""
    assert front.put(DOMAIN, CERTIFICATE, API)


@pytest.mark.parametrize(("is_done", "again"), [(False, again_by_rotation), (True, again_by_deployment)])
def test_rotation_that_failed_at_any_call_is_finished_by_a_rerun(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, is_done: bool, again: Callable[[Front], None]
) -> None:
    """Whichever call fails, before or after its effect, no request is rejected and the next run finishes the
    rotation.
    """
    front = put(REGION, monkeypatch)
    cloud.changes = watched = Watched(cloud)
    failed = 0
    while True:
        old = kept(cloud)
        watched.clear()
        cloud.fails = Failure(failed + 1, is_done)
        try:
            front.rotate(API)
        except ClientError:
            failed += 1
        else:
            break
        cloud.fails = None
        again(front)
        assert (sent(cloud), accepted(cloud)) == (kept(cloud), {kept(cloud)})
        assert secret.pending("dev") == ""
        assert kept(cloud) != old
    assert failed == 7
    assert watched.refused == []


@pytest.mark.parametrize("logical", ["WebAcl", "Distribution"])
def test_rotation_rolled_back_by_cloudformation_is_finished_by_a_rerun(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, logical: str
) -> None:
    """After a rollback by CloudFormation the old secret is in use, no request is rejected, and the next run
    succeeds.
    """
    front = put(REGION, monkeypatch)
    old = kept(cloud)
    cloud.formation().fails_at = logical
    with pytest.raises(DeployError, match="could not be updated"):
        front.rotate(API)
    assert (sent(cloud), kept(cloud)) == (old, old)
    assert old in accepted(cloud)
    front.rotate(API)
    assert (sent(cloud), accepted(cloud)) == (kept(cloud), {kept(cloud)})
    assert kept(cloud) != old


def test_unfinished_rotation_is_shown_by_status(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make status` reports an unfinished rotation and prints the command that finishes it."""
    front = put(REGION, monkeypatch)
    assert "rotate-edge" not in front.status(None).state
    cloud.fails = Failure("UpdateStack", is_done=False)
    with pytest.raises(ClientError):
        front.rotate(API)
    assert "make rotate-edge STAGE=dev finishes" in front.status(None).state
    assert front.delete() == ""
    assert secret.pending("dev") == ""


def test_rotation_without_cloudfront_fails(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make rotate-edge` fails and creates no secret if the stage has no CloudFront or isn't deployed."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with pytest.raises(DeployError, match="No CloudFront is in front of dev: make deploy STAGE=dev EDGE=1"):
        Front("dev", print).rotate(API)
    assert cloud.client("ssm").describe_parameters()["Parameters"] == []
    assert command.main(["rotate-edge", "--stage", "dev"]) == 1
    assert "Nothing is deployed as dev" in capsys.readouterr().err
