"""A closed API whose CloudFront distribution was deleted: each command reports that callers can't reach the stage."""

import pytest

from tests.deploy.edge import CERTIFICATE, DISTRIBUTION, DOMAIN, EDGE, ORIGIN, World

pytestmark = pytest.mark.xdist_group("edge")
NOBODY = f"dev is unreachable: its API accepts only CloudFront, but the distribution was deleted ({DISTRIBUTION})."
REMEDY = " To recreate it: make deploy STAGE=dev EDGE=1 DOMAIN={} CERTIFICATE={}. To do without it: remove"


@pytest.fixture(params=["deleted", "functions left"], scope="module")
def remedy(request: pytest.FixtureRequest, world: World) -> str:
    """Delete CloudFront by hand, with or without its replicated function, and return the fix to expect in the
    output.
    """
    formation = world.cloud.formation()
    world.checkout.succeeds("deploy", "dev", *EDGE)
    if request.param == "deleted":
        world.cloud.client("cloudformation").delete_stack(StackName=DISTRIBUTION)
        return REMEDY.format("…", "…")
    formation.undeletable.add("AWS::Lambda::Function")
    world.cloud.client("cloudformation").delete_stack(StackName=DISTRIBUTION)
    formation.undeletable.clear()
    assert formation.stacks[DISTRIBUTION].status == "DELETE_FAILED"
    return REMEDY.format(DOMAIN, CERTIFICATE)


def test_unreachable_stage_is_reported(world: World, remedy: str) -> None:
    """A deployment, its dry run and `make status` say that callers can't reach the stage, and print both fixes."""
    said = world.checkout.succeeds("deploy", "dev")
    assert NOBODY + remedy in said.partition("the data stack")[0]
    assert NOBODY + remedy in said.partition("Setting throttling")[2]
    assert "Latchkey runs at" not in said
    assert "login" not in said
    assert said.count("LATCHKEY_PUBLIC_URL") == 0
    assert NOBODY + remedy in world.checkout.succeeds("deploy", "dev", "--dry-run")
    assert f"edge      {NOBODY}{remedy}" in world.checkout.succeeds("status", "dev")


def test_rotation_of_an_unreachable_stage_changes_nothing(world: World, remedy: str) -> None:
    """`make rotate-edge` fails and changes nothing if the stage's CloudFront distribution was deleted."""
    world.cloud.changes.clear()
    done = world.checkout.run("rotate-edge", "dev")
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert done.error.startswith(NOBODY + remedy)
    assert [each for each in world.cloud.changes if "Item" not in each] == []


@pytest.mark.usefixtures("remedy")
def test_deployment_with_edge_recreates_cloudfront(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make deploy EDGE=1` creates CloudFront again and prints the host to which DNS must point."""
    monkeypatch.setattr(world, "leads_to", None)
    assert f"{NOBODY} It would be made again." in world.checkout.succeeds("deploy", "dev", *EDGE, "--dry-run")
    said = world.checkout.succeeds("deploy", "dev", *EDGE)
    assert f"{NOBODY} It is made again now.\n" in said
    assert f"Latchkey runs at https://{DOMAIN}/ once the domain's DNS leads to the-domainname (CNAME" in said
    assert "is unreachable" not in world.checkout.succeeds("status", "dev")


def test_deployment_reports_dns_that_points_nowhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment without EDGE=1 says that DNS doesn't point to CloudFront, and prints CloudFront's domain."""
    monkeypatch.setattr(world, "leads_to", None)
    world.configure(LATCHKEY_PUBLIC_URL="https://other.example.com")
    said = world.checkout.succeeds("deploy", "dev")
    world.configure(LATCHKEY_PUBLIC_URL=f"https://{DOMAIN}")
    assert f"Latchkey runs at https://{DOMAIN}/ once the domain's DNS leads to the-domainname (CNAME" in said
    assert "LATCHKEY_PUBLIC_URL is https://other.example.com, but no Latchkey answers there." in said
    assert f"Set it to https://{DOMAIN} in .chalice/config.json" in said


def test_removing_the_header_reopens_the_api(world: World) -> None:
    """The API is open again after the documented alternative: trust no header, and delete the stack that closes the
    API.
    """
    world.cloud.client("cloudformation").delete_stack(StackName=DISTRIBUTION)
    world.configure(LATCHKEY_CLIENT_IP_HEADER="", LATCHKEY_PUBLIC_URL="")
    said = world.checkout.succeeds("deploy", "dev")
    assert said.rstrip().endswith("make smoke STAGE=dev")
    assert f"aws cloudformation delete-stack --region us-east-1 --stack-name {ORIGIN}" in said
    world.cloud.client("cloudformation").delete_stack(StackName=ORIGIN)
    assert world.believes() in (None, "")
    said = world.checkout.succeeds("deploy", "dev")
    assert f"Latchkey runs at https://{world.cloud.apis()[0]}.execute-api." in said
    assert "is unreachable" not in said
