"""The secret between CloudFront and the API is exchanged, and at no moment is a request of CloudFront's refused."""

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
    """Return CloudFront's stack, and the one that closes the API."""
    return cloud.formation().stacks[DISTRIBUTION], cloud.formation().stacks[ORIGIN]


def sent(cloud: Cloud) -> str:
    """Return what CloudFront sends."""
    (origin,) = stacks(cloud)[0].made["Distribution"].resource["Properties"]["DistributionConfig"]["Origins"]
    value: str = origin["OriginCustomHeaders"][0]["HeaderValue"]
    return value


def accepted(cloud: Cloud) -> set[str]:
    """Return what the API lets through."""
    rules = stacks(cloud)[1].made["WebAcl"].resource["Properties"]["Rules"]
    assert len({rule["Priority"] for rule in rules}) == len(rules)
    return {rule["Statement"]["ByteMatchStatement"]["SearchString"] for rule in rules}


def kept(cloud: Cloud) -> str:
    """Return what SSM keeps."""
    value: str = cloud.client("ssm").get_parameter(Name="/latchkey/dev/edge", WithDecryption=True)["Parameter"]["Value"]
    return value


class Watched(list[str]):
    """The calls that changed something; before each it is noted whether a request of CloudFront's would be refused."""

    def __init__(self, cloud: Cloud) -> None:
        """Watch an account that has an edge."""
        super().__init__()
        self.cloud, self.refused = cloud, list[str]()

    def append(self, call: str) -> None:
        """Note a call."""
        if sent(self.cloud) not in accepted(self.cloud):
            self.refused.append(call)
        super().append(call)


@pytest.fixture(autouse=True)
def waits(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, set[str]]]:
    """What CloudFront sent and the API let through at each wait, none of which takes any time; DNS leads there."""
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
    """And for as long as AWS WAF takes to know it everywhere; then the new one alone. Nothing else is changed."""
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
    """Repeat the command that failed."""
    front.rotate(API)


def again_by_deployment(front: Front) -> None:
    """Deploy, as if nothing had failed."""
    assert front.put(DOMAIN, CERTIFICATE, API)


@pytest.mark.parametrize(("is_done", "again"), [(False, again_by_rotation), (True, again_by_deployment)])
def test_rotation_that_failed_at_any_call_refuses_nothing_and_is_finished_by_a_rerun(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, is_done: bool, again: Callable[[Front], None]
) -> None:
    """Before the call is carried out, and after, when only its answer is lost; in one account, one after another."""
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
def test_rotation_that_cloudformation_takes_back_refuses_nothing_and_is_finished_by_a_rerun(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, logical: str
) -> None:
    """The stack is again what it was, and the command says so before anything else is done."""
    front = put(REGION, monkeypatch)
    old = kept(cloud)
    cloud.formation().fails_at = logical
    with pytest.raises(DeployError, match="could not be brought up to date"):
        front.rotate(API)
    assert (sent(cloud), kept(cloud)) == (old, old)
    assert old in accepted(cloud)
    front.rotate(API)
    assert (sent(cloud), accepted(cloud)) == (kept(cloud), {kept(cloud)})
    assert kept(cloud) != old


def test_unfinished_rotation_is_shown_by_status(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that finishes it."""
    front = put(REGION, monkeypatch)
    assert "rotate-edge" not in front.status(None).state
    cloud.fails = Failure("UpdateStack", is_done=False)
    with pytest.raises(ClientError):
        front.rotate(API)
    assert "make rotate-edge STAGE=dev finishes" in front.status(None).state
    assert front.delete() == ""
    assert secret.pending("dev") == ""


def test_stage_without_cloudfront_has_nothing_to_rotate(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, and no secret is made; nor where nothing is deployed at all."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with pytest.raises(DeployError, match="No CloudFront is in front of dev: make deploy STAGE=dev EDGE=1"):
        Front("dev", print).rotate(API)
    assert cloud.client("ssm").describe_parameters()["Parameters"] == []
    assert command.main(["rotate-edge", "--stage", "dev"]) == 1
    assert "Nothing is deployed as dev" in capsys.readouterr().err
