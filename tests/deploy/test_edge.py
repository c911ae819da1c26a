"""`make deploy EDGE=1`, against moto's server: what is closed when, whom the API believes, and what destroy leaves."""

import urllib.request
from collections.abc import Iterator
from email.message import Message

import pytest

from tests.deploy.checkout import copied
from tests.deploy.cloud import serving
from tests.deploy.edge import DISTRIBUTION, DOMAIN, EDGE, ORIGIN, SETTINGS, World, headers

pytestmark = pytest.mark.xdist_group("edge")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for the whole story, which the tests tell in order."""
    with serving() as cloud, pytest.MonkeyPatch.context() as patch:
        checkout = copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment)
        made = World(cloud, checkout)
        patch.setattr(urllib.request, "urlopen", made.answer)
        yield made


def test_edge_without_domain_certificate_or_settings_is_refused_before_anything_is_made(world: World) -> None:
    """In one sentence with what to give or to set."""
    done = world.checkout.run("deploy", "dev", "--edge")
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert "make deploy STAGE=dev EDGE=1 DOMAIN=" in done.error
    done = world.checkout.run("deploy", "dev", *EDGE)
    assert (done.status, done.error.count("\n")) == (1, 1)
    for name, value in SETTINGS.items():
        assert f'"{name}": "{value}"' in done.error
    assert world.cloud.stacks() == {}


def test_header_is_refused_where_the_api_is_open_to_everybody(world: World) -> None:
    """Anybody could choose the address that limits count by."""
    world.configure(**SETTINGS)
    done = world.checkout.run("deploy", "dev")
    assert done.status == 1
    assert done.error.startswith("Anybody could send x-viewer-address")
    assert world.cloud.stacks() == {}


@pytest.mark.parametrize("there", [None, headers(x_amzn_RequestId="1")])
def test_nothing_is_closed_or_believed_before_the_domain_leads_to_cloudfront(
    world: World, there: Message | None
) -> None:
    """CloudFront is made, and the sentence says where the domain must lead."""
    world.leads_to = there
    said = world.checkout.succeeds("deploy", "dev", *EDGE)
    assert "Point the domain's DNS at the-domainname" in said
    assert world.cloud.stacks()[DISTRIBUTION] == "CREATE_COMPLETE"
    assert ORIGIN not in world.cloud.stacks()
    assert world.believes() is None


def test_rotation_before_the_domain_leads_to_cloudfront_says_that_the_api_is_open(world: World) -> None:
    """Nothing is refused there, with whichever secret."""
    said = world.checkout.succeeds("rotate-edge", "dev")
    assert "the API's own address is open to everybody" in said
    assert "refused" not in said


def test_api_is_closed_and_then_the_header_believed_once_the_domain_leads_to_cloudfront(world: World) -> None:
    """Both stacks have the same secret, which is in SSM; the URL that is printed is the domain's."""
    world.leads_to = headers(X_Amz_Cf_Id="1")
    said = world.checkout.succeeds("deploy", "dev", *EDGE)
    assert said.index("Closing the API's own address") < said.index("Deploying the service again")
    assert f"Latchkey runs at https://{DOMAIN}/" in said
    assert world.believes() == "x-viewer-address"
    stacks = world.cloud.formation().stacks
    kept = world.cloud.client("ssm").get_parameter(Name="/latchkey/dev/edge", WithDecryption=True)["Parameter"]
    assert kept["Type"] == "SecureString"
    assert {stacks[name].parameters["Secret"] for name in (DISTRIBUTION, ORIGIN)} == {kept["Value"]}
    assert [stacks[ORIGIN].parameters["RestApiId"]] == world.cloud.apis()
    assert kept["Value"] not in said


def test_closed_stage_is_deployed_again_in_one_step_whatever_dns_says(world: World) -> None:
    """With EDGE=1 and without; the header stays believed, and the secret stays the same."""
    world.leads_to = None
    secret = world.cloud.formation().stacks[ORIGIN].parameters["Secret"]
    for more in (EDGE, ()):
        said = world.checkout.succeeds("deploy", "dev", *more)
        assert "again, which now believes" not in said
        assert f"Latchkey runs at https://{DOMAIN}/" in said
        assert world.believes() == "x-viewer-address"
    assert world.cloud.formation().stacks[ORIGIN].parameters["Secret"] == secret
    assert "closed to all but CloudFront" in world.checkout.succeeds("status", "dev")
    assert f"{DISTRIBUTION}, in us-east-1, would be brought up to date" in world.checkout.succeeds(
        "deploy", "dev", *EDGE, "--dry-run"
    )


def test_closed_stage_that_the_configuration_does_not_know_is_named_by_its_domain(world: World) -> None:
    """As from a checkout without the stage's settings: the API's own address answers nobody but CloudFront."""
    world.configure(**dict.fromkeys(SETTINGS, ""))
    said = world.checkout.succeeds("deploy", "dev")
    assert f"Latchkey runs at https://{DOMAIN}/" in said
    world.configure(**SETTINGS)
    world.checkout.succeeds("deploy", "dev")


def test_what_was_chosen_of_cloudfront_is_kept(world: World) -> None:
    """The rate of its web ACL in AWS, and the boundary of the stage's roles, whichever deployment gave it."""
    bound = "arn:aws:iam::123456789012:policy/most"
    stack = world.cloud.formation().stacks[DISTRIBUTION]
    stack.parameters["RequestsInFiveMinutes"] = "20000"
    world.checkout.succeeds("deploy", "dev", "--boundary", bound)
    world.checkout.succeeds("deploy", "dev", *EDGE)
    assert (stack.parameters["RequestsInFiveMinutes"], stack.parameters["Boundary"]) == ("20000", bound)
    assert stack.made["RenamesRole"].resource["Properties"]["PermissionsBoundary"] == bound


@pytest.mark.parametrize("status", ["DELETE_FAILED", "DELETE_IN_PROGRESS"])
def test_api_counts_as_open_while_what_closes_it_is_not_whole(
    world: World, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """Half of that stack may be gone, so the header isn't believed."""
    monkeypatch.setattr(world.cloud.formation().stacks[ORIGIN], "status", status)
    monkeypatch.setattr(world.cloud.formation(), "stacks", dict(world.cloud.formation().stacks))
    done = world.checkout.run("deploy", "dev")
    assert done.error.startswith("Anybody could send x-viewer-address")


def test_destroy_says_when_the_edge_function_cannot_be_deleted_yet_and_a_rerun_finishes(world: World) -> None:
    """CloudFront deletes its copies after hours; everything else is gone by then."""
    formation = world.cloud.formation()
    formation.undeletable.add("AWS::Lambda::Function")
    for _ in range(2):
        done = world.checkout.run("destroy", "dev")
        assert done.status == 1
        assert "CloudFront still has copies of the edge function" in done.error
        assert world.cloud.apis() == []
        assert ORIGIN not in world.cloud.stacks()
        left = {each.resource["Type"] for each in formation.stacks[DISTRIBUTION].made.values()}
        assert "AWS::Lambda::Function" in left
        assert not left & {"AWS::CloudFront::Distribution", "AWS::WAFv2::WebACL"}
    formation.undeletable.clear()
    world.checkout.succeeds("destroy", "dev")
    assert set(world.cloud.stacks()) == {"latchkey-dev-data"}
    with pytest.raises(world.cloud.client("ssm").exceptions.ParameterNotFound):
        world.cloud.client("ssm").get_parameter(Name="/latchkey/dev/edge")
