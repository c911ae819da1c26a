"""A web ACL that was detached from its API: `make status` reports it, and EDGE=1 attaches it again."""

import pytest

from tests.deploy.edge import EDGE, ORIGIN, World

pytestmark = pytest.mark.xdist_group("edge")


@pytest.fixture(scope="module", autouse=True)
def closed(world: World) -> None:
    """Deploy a closed stage, with the domain's DNS pointing to CloudFront."""
    world.checkout.succeeds("deploy", "dev", *EDGE)


def take_off(world: World) -> None:
    """Detach the web ACL from the API's stage."""
    world.cloud.formation().associated.clear()


@pytest.mark.parametrize("gone", ["web ACL", "stage"])
def test_detached_web_acl_is_reported_and_attached_again(world: World, gone: str) -> None:
    """While the web ACL is detached, a deployment rejects the trusted header; EDGE=1 attaches the web ACL first."""
    take_off(world)
    if gone == "stage":
        (api,) = world.cloud.apis()
        world.cloud.client("apigateway").delete_stage(restApiId=api, stageName="api")
    said = world.checkout.succeeds("status", "dev")
    assert "the API's own address is open" in said
    assert "remedy    The API's own URL is open to all callers, since its web ACL was removed. To restore it" in said
    refused = world.checkout.run("deploy", "dev")
    assert refused.error.startswith("Anybody could send x-viewer-address, since the API of dev isn't closed")
    said = world.checkout.succeeds("deploy", "dev", *EDGE)
    assert said.index("Closing the API's own URL") < said.index("Deploying the service again")
    assert (len(world.cloud.formation().associated), world.believes()) == (1, "x-viewer-address")
    said = world.checkout.succeeds("status", "dev")
    assert "closed to all but CloudFront" in said
    assert "remedy" not in said
    assert "gone " not in said


def test_deleted_web_acl_is_reported_with_the_fix(world: World) -> None:
    """If the web ACL was deleted, a deployment says to delete its stack, because CloudFormation wouldn't repair it."""
    take_off(world)
    stack = world.cloud.formation().stacks[ORIGIN]
    acl = stack.made.pop("WebAcl")
    done = world.checkout.run("deploy", "dev", *EDGE)
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert f"aws cloudformation delete-stack --stack-name {ORIGIN}. Then run this again." in done.error
    stack.made["WebAcl"] = acl
    world.checkout.succeeds("deploy", "dev", *EDGE)
