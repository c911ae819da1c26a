"""`DRY_RUN=1` promises nothing that a deployment refuses, and a deployment looks at every stack before any change."""

import pytest

from tests.deploy.edge import DISTRIBUTION, DOMAIN, EDGE, ORIGIN, World

pytestmark = pytest.mark.xdist_group("edge")
COMMANDS = {"deploy": ("deploy", *EDGE), "rehearsal": ("deploy", *EDGE, "--dry-run"), "rotation": ("rotate-edge",)}


@pytest.fixture(scope="module", autouse=True)
def deployed(world: World) -> None:
    """Deploy it, so that it answers CloudFront alone."""
    world.checkout.succeeds("deploy", "dev", *EDGE)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", [DISTRIBUTION, ORIGIN])
@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("UPDATE_IN_PROGRESS", "Wait until that is over, then run this again."),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --region"),
    ],
)
def test_edge_stack_that_can_not_be_changed_stops_before_the_first_change(
    world: World, monkeypatch: pytest.MonkeyPatch, command: str, name: str, status: str, said: str
) -> None:
    """The error is one line with the remedy; the functions still trust CloudFront's viewer address header."""
    monkeypatch.setattr(world.cloud.formation().stacks[name], "status", status)
    world.cloud.changes.clear()
    done = world.checkout.run(COMMANDS[command][0], "dev", *COMMANDS[command][1:])
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert name in done.error
    assert said in done.error
    assert [each for each in world.cloud.changes if "Item" not in each] == []  # the lock alone
    assert world.believes() == "x-viewer-address"


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_plain_deployment_says_that_what_closes_the_api_is_being_changed(
    world: World, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """And not that anybody could send the header: whether they could is not known yet."""
    monkeypatch.setattr(world.cloud.formation().stacks[ORIGIN], "status", "UPDATE_IN_PROGRESS")
    done = world.checkout.run("deploy", "dev", *more)
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert done.error.startswith(
        f"The stack {ORIGIN} is being changed by somebody else (UPDATE_IN_PROGRESS). Wait until"
    )


def test_rehearsal_says_which_edge_stack_would_be_made_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that isn't whole can only be deleted."""
    monkeypatch.setattr(world.cloud.formation().stacks[ORIGIN], "status", "DELETE_FAILED")
    said = world.checkout.succeeds("deploy", "dev", *EDGE, "--dry-run")
    assert f"{DISTRIBUTION}, in us-east-1, would be brought up to date" in said
    assert f"{ORIGIN}, in us-east-1, is not whole (DELETE_FAILED) and would be deleted and created anew" in said


@pytest.mark.parametrize("command", [("deploy",), ("deploy", "--dry-run")])
def test_key_that_is_lost_is_not_replaced(world: World, command: tuple[str, ...]) -> None:
    """Another one would be another secret of every webhook; `make status` names it, too."""
    ssm = world.cloud.client("ssm")
    kept = ssm.get_parameter(Name="/latchkey/dev/key", WithDecryption=True)["Parameter"]["Value"]
    ssm.delete_parameters(Names=["/latchkey/dev/key"])
    done = world.checkout.run(command[0], "dev", *command[1:])
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert done.error.startswith("The stage's key, the SSM parameter /latchkey/dev/key, is gone")
    assert "gone      the stage's key" in world.checkout.succeeds("status", "dev")
    ssm.put_parameter(Name="/latchkey/dev/key", Value=kept, Type="SecureString")
    assert "stage's key" not in world.checkout.succeeds("deploy", "dev", "--dry-run")


@pytest.mark.parametrize("command", COMMANDS)
def test_stage_of_the_gateway_that_is_another_is_refused(world: World, command: str) -> None:
    """The one before would stay, open to everybody, and CloudFront would lead to one that there isn't."""
    file = world.checkout.path / ".chalice" / "config.json"
    before = file.read_text()
    file.write_text(before.replace('"api_gateway_stage": "api"', '"api_gateway_stage": "v1"'))
    world.cloud.changes.clear()
    done = world.checkout.run(COMMANDS[command][0], "dev", *COMMANDS[command][1:])
    file.write_text(before)
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert done.error.startswith("The API of dev is deployed as api, which is in the URL of every caller")
    assert world.cloud.changes == []


def test_rehearsal_of_a_stopped_stage_is_refused_as_its_deployment(world: World) -> None:
    """With how to start it again."""
    functions = world.cloud.client("lambda")
    functions.put_function_concurrency(FunctionName="latchkey-dev-hour", ReservedConcurrentExecutions=0)
    done = world.checkout.run("deploy", "dev", "--dry-run")
    assert done.status == 1
    assert done.error.startswith("dev is stopped")
    functions.delete_function_concurrency(FunctionName="latchkey-dev-hour")


def test_closed_stage_with_a_domain_that_leads_nowhere_says_where_to_point_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs there once DNS does, and not before; a domain that leads there already needs no word."""
    assert f"Latchkey runs at https://{DOMAIN}/\n" in world.checkout.succeeds("deploy", "dev", *EDGE)
    monkeypatch.setattr(world, "leads_to", None)
    world.configure(LATCHKEY_PUBLIC_URL="https://b.example.com")
    said = world.checkout.succeeds("deploy", "dev", "--edge", "--domain", "b.example.com", *EDGE[3:])
    assert "Latchkey runs at https://b.example.com/ once the domain's DNS leads to the-domainname (CNAME" in said
