"""A web ACL that went with the stage of its API, or was taken off: status says so, and EDGE=1 puts it there again."""

import pytest

from tests.deploy.edge import EDGE, ORIGIN, World

pytestmark = pytest.mark.xdist_group("edge")


@pytest.fixture(scope="module", autouse=True)
def closed(world: World) -> None:
    """Deploy the stage closed to all but CloudFront, to which its domain leads."""
    world.checkout.succeeds("deploy", "dev", *EDGE)


def take_off(world: World) -> None:
    """Take the web ACL off."""
    world.cloud.formation().associated.clear()


@pytest.mark.parametrize("gone", ["web ACL", "stage"])
def test_api_whose_web_acl_is_gone_is_open_and_closed_again_with_edge(world: World, gone: str) -> None:
    """CloudFormation believes it there. Without EDGE=1 nothing is deployed that believes anybody's header."""
    take_off(world)
    if gone == "stage":
        (api,) = world.cloud.apis()
        world.cloud.client("apigateway").delete_stage(restApiId=api, stageName="api")
    said = world.checkout.succeeds("status", "dev")
    assert "the API's own address is open" in said
    assert "remedy    The API's own address is open to all, since its web ACL was taken off. To put it there" in said
    refused = world.checkout.run("deploy", "dev")
    assert refused.error.startswith("Anybody could send x-viewer-address, since the API of dev isn't closed")
    said = world.checkout.succeeds("deploy", "dev", *EDGE)
    assert said.index("Closing the API's own address") < said.index("Deploying the service again")
    assert (len(world.cloud.formation().associated), world.believes()) == (1, "x-viewer-address")
    said = world.checkout.succeeds("status", "dev")
    assert "closed to all but CloudFront" in said
    assert "remedy" not in said
    assert "gone " not in said


def test_web_acl_that_was_deleted_is_named_with_what_to_do(world: World) -> None:
    """CloudFormation makes none again, so its stack has to go."""
    take_off(world)
    stack = world.cloud.formation().stacks[ORIGIN]
    acl = stack.made.pop("WebAcl")
    done = world.checkout.run("deploy", "dev", *EDGE)
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert f"aws cloudformation delete-stack --stack-name {ORIGIN}. Then run this again." in done.error
    stack.made["WebAcl"] = acl
    world.checkout.succeeds("deploy", "dev", *EDGE)
