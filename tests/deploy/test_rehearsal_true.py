"""`DRY_RUN=1` fails whenever a deployment would fail, and a deployment checks every stack before it changes
anything.
"""

import pytest

from tests.deploy.edge import DISTRIBUTION, DOMAIN, EDGE, ORIGIN, World

pytestmark = pytest.mark.xdist_group("edge")
COMMANDS = {"deploy": ("deploy", *EDGE), "rehearsal": ("deploy", *EDGE, "--dry-run"), "rotation": ("rotate-edge",)}


@pytest.fixture(scope="module", autouse=True)
def deployed(world: World) -> None:
    """Deploy a stage that accepts requests from CloudFront only."""
    world.checkout.succeeds("deploy", "dev", *EDGE)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", [DISTRIBUTION, ORIGIN])
@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("UPDATE_IN_PROGRESS", "Wait until it has ended, then run this again."),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --region"),
    ],
)
def test_busy_edge_stack_stops_before_the_first_change(
    world: World, monkeypatch: pytest.MonkeyPatch, command: str, name: str, status: str, said: str
) -> None:
    """If an edge stack can't be changed, a command prints one line with the fix and changes nothing."""
    monkeypatch.setattr(world.cloud.formation().stacks[name], "status", status)
    world.cloud.changes.clear()
    done = world.checkout.run(COMMANDS[command][0], "dev", *COMMANDS[command][1:])
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert name in done.error
    assert said in done.error
    # Only the calls for the lock change anything.
    assert [each for each in world.cloud.changes if "Item" not in each] == []
    assert world.believes() == "x-viewer-address"


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_deployment_reports_a_busy_origin_stack(
    world: World, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """While the stack that closes the API is being updated, a deployment reports this, and not that the API is open."""
    monkeypatch.setattr(world.cloud.formation().stacks[ORIGIN], "status", "UPDATE_IN_PROGRESS")
    done = world.checkout.run("deploy", "dev", *more)
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert done.error.startswith(
        f"The stack {ORIGIN} is being updated by another process (UPDATE_IN_PROGRESS). Wait until"
    )


def test_dry_run_says_which_edge_stack_would_be_recreated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run says that an edge stack in a failed state would be deleted and created again."""
    monkeypatch.setattr(world.cloud.formation().stacks[ORIGIN], "status", "DELETE_FAILED")
    said = world.checkout.succeeds("deploy", "dev", *EDGE, "--dry-run")
    assert f"{DISTRIBUTION}, in us-east-1, would be updated" in said
    assert f"{ORIGIN}, in us-east-1, is incomplete (DELETE_FAILED) and would be deleted and recreated" in said


@pytest.mark.parametrize("command", [("deploy",), ("deploy", "--dry-run")])
def test_lost_root_key_is_not_replaced(world: World, command: tuple[str, ...]) -> None:
    """A deployment fails if the root key is lost, because a new root key would change every webhook secret."""
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
def test_renamed_gateway_stage_is_rejected(world: World, command: str) -> None:
    """A changed name of the API Gateway stage is rejected, because the old stage would stay open to everyone."""
    file = world.checkout.path / ".chalice" / "config.json"
    before = file.read_text()
    file.write_text(before.replace('"api_gateway_stage": "api"', '"api_gateway_stage": "v1"'))
    world.cloud.changes.clear()
    done = world.checkout.run(COMMANDS[command][0], "dev", *COMMANDS[command][1:])
    file.write_text(before)
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert done.error.startswith("The API of dev is deployed as api, which is in the URL of every caller")
    assert world.cloud.changes == []


def test_dry_run_of_a_stopped_stage_fails(world: World) -> None:
    """A dry run of a stopped stage fails like a deployment of it."""
    functions = world.cloud.client("lambda")
    functions.put_function_concurrency(FunctionName="latchkey-dev-hour", ReservedConcurrentExecutions=0)
    done = world.checkout.run("deploy", "dev", "--dry-run")
    assert done.status == 1
    assert done.error.startswith("dev is stopped")
    functions.delete_function_concurrency(FunctionName="latchkey-dev-hour")


def test_closed_stage_without_dns_prints_the_target(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the domain of a closed stage doesn't point to CloudFront, a deployment prints the host for DNS."""
    assert f"Latchkey runs at https://{DOMAIN}/\n" in world.checkout.succeeds("deploy", "dev", *EDGE)
    monkeypatch.setattr(world, "leads_to", None)
    world.configure(LATCHKEY_PUBLIC_URL="https://b.example.com")
    said = world.checkout.succeeds("deploy", "dev", "--edge", "--domain", "b.example.com", *EDGE[3:])
    assert "Latchkey runs at https://b.example.com/ once the domain's DNS leads to the-domainname (CNAME" in said
