"""`make deploy EDGE=1` with moto's server: when the API is closed, which header it trusts, and what destroy deletes."""

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
    """An account and a checkout that all tests of this module share. Later tests depend on earlier ones."""
    with serving() as cloud, pytest.MonkeyPatch.context() as patch:
        checkout = copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment)
        made = World(cloud, checkout)
        patch.setattr(urllib.request, "urlopen", made.answer)
        yield made


def test_edge_without_options_is_rejected_before_any_change(world: World) -> None:
    """`make deploy EDGE=1` without a required option or setting prints one line that names it, and creates nothing."""
    done = world.checkout.run("deploy", "dev", "--edge")
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert "make deploy STAGE=dev EDGE=1 DOMAIN=" in done.error
    done = world.checkout.run("deploy", "dev", *EDGE)
    assert (done.status, done.error.count("\n")) == (1, 1)
    for name, value in SETTINGS.items():
        assert f'"{name}": "{value}"' in done.error
    assert world.cloud.stacks() == {}


def test_client_address_header_of_an_open_api_is_rejected(world: World) -> None:
    """A deployment rejects a trusted client address header while the API accepts requests from anyone."""
    world.configure(**SETTINGS)
    done = world.checkout.run("deploy", "dev")
    assert done.status == 1
    assert done.error.startswith("Anybody could send x-viewer-address")
    assert world.cloud.stacks() == {}


@pytest.mark.parametrize("there", [None, headers(x_amzn_RequestId="1")])
def test_api_stays_open_before_dns_points_to_cloudfront(world: World, there: Message | None) -> None:
    """Until the domain's DNS points to CloudFront, the API is open and trusts no client address header."""
    world.leads_to = there
    said = world.checkout.succeeds("deploy", "dev", *EDGE)
    assert "Point the domain's DNS at the-domainname" in said
    assert world.cloud.stacks()[DISTRIBUTION] == "CREATE_COMPLETE"
    assert ORIGIN not in world.cloud.stacks()
    assert world.believes() is None


def test_rotation_before_dns_says_the_api_is_open(world: World) -> None:
    """`make rotate-edge` says that the API is still open if DNS doesn't point to CloudFront yet."""
    said = world.checkout.succeeds("rotate-edge", "dev")
    assert "the API's own address is open to everybody" in said
    assert "refused" not in said


def test_api_is_closed_before_it_trusts_the_header(world: World) -> None:
    """When DNS points to CloudFront, a deployment first closes the API, and then lets it trust the header.

    Both stacks have the same secret.
    """
    world.leads_to = headers(X_Amz_Cf_Id="1")
    said = world.checkout.succeeds("deploy", "dev", *EDGE)
    assert said.index("Closing the API's own URL") < said.index("Deploying the service again")
    assert f"Latchkey runs at https://{DOMAIN}/" in said
    assert world.believes() == "x-viewer-address"
    stacks = world.cloud.formation().stacks
    kept = world.cloud.client("ssm").get_parameter(Name="/latchkey/dev/edge", WithDecryption=True)["Parameter"]
    assert kept["Type"] == "SecureString"
    assert {stacks[name].parameters["Secret"] for name in (DISTRIBUTION, ORIGIN)} == {kept["Value"]}
    assert [stacks[ORIGIN].parameters["RestApiId"]] == world.cloud.apis()
    assert kept["Value"] not in said


def test_closed_stage_is_redeployed_in_one_step(world: World) -> None:
    """A deployment of a closed stage keeps header and secret, even if DNS doesn't point to CloudFront."""
    world.leads_to = None
    secret = world.cloud.formation().stacks[ORIGIN].parameters["Secret"]
    for more in (EDGE, ()):
        said = world.checkout.succeeds("deploy", "dev", *more)
        assert "again, which now believes" not in said
        assert f"Latchkey runs at https://{DOMAIN}/" in said
        assert world.believes() == "x-viewer-address"
    assert world.cloud.formation().stacks[ORIGIN].parameters["Secret"] == secret
    assert "closed to all but CloudFront" in world.checkout.succeeds("status", "dev")
    assert f"{DISTRIBUTION}, in us-east-1, would be updated" in world.checkout.succeeds(
        "deploy", "dev", *EDGE, "--dry-run"
    )


def test_closed_stage_without_settings_is_printed_by_domain(world: World) -> None:
    """Without the stage's settings a deployment prints CloudFront's domain, because the API's own URL is closed."""
    world.configure(**dict.fromkeys(SETTINGS, ""))
    said = world.checkout.succeeds("deploy", "dev")
    assert f"Latchkey runs at https://{DOMAIN}/" in said
    world.configure(**SETTINGS)
    world.checkout.succeeds("deploy", "dev")


def test_edge_options_are_kept(world: World) -> None:
    """A deployment without options keeps the web ACL's rate and the roles' permissions boundary."""
    bound = "arn:aws:iam::123456789012:policy/most"
    stack = world.cloud.formation().stacks[DISTRIBUTION]
    stack.parameters["RequestsInFiveMinutes"] = "20000"
    world.checkout.succeeds("deploy", "dev", "--boundary", bound)
    world.checkout.succeeds("deploy", "dev", *EDGE)
    assert (stack.parameters["RequestsInFiveMinutes"], stack.parameters["Boundary"]) == ("20000", bound)
    assert stack.made["RenamesRole"].resource["Properties"]["PermissionsBoundary"] == bound


@pytest.mark.parametrize("status", ["DELETE_FAILED", "DELETE_IN_PROGRESS"])
def test_api_counts_as_open_when_its_web_acl_stack_is_incomplete(
    world: World, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """A deployment treats the API as open if the deletion of the stack that closes it has begun or failed."""
    monkeypatch.setattr(world.cloud.formation().stacks[ORIGIN], "status", status)
    monkeypatch.setattr(world.cloud.formation(), "stacks", dict(world.cloud.formation().stacks))
    done = world.checkout.run("deploy", "dev")
    assert done.error.startswith("Anybody could send x-viewer-address")


def test_destroy_reports_an_undeletable_edge_function(world: World) -> None:
    """`make destroy` deletes everything except a function that CloudFront still replicates, which a later run
    deletes.
    """
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
