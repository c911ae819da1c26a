"""What AWS refuses ends in a stage that works, or in a sentence with what to do; regions share an account."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from chalice.awsclient import TypedAWSClient

from tests.deploy.checkout import Checkout, copied
from tests.deploy.cloud import IMPORT, SUBSCRIBE, Cloud, Failure, serving
from tests.deploy.cloud_requests import REGION
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("refusals")
OTHER_REGION = "eu-west-1"
NAME = "latchkey-dev-data"
INVALID = "InvalidParameterValueException"
LATER = {
    "a role that Lambda doesn't know yet": (
        "POST /2015-03-31/functions",
        (INVALID, "The role defined for the function cannot be assumed by Lambda."),
    ),
    "a stream that the new role can't read yet": (
        SUBSCRIBE,
        (INVALID, "Cannot access stream arn:aws:dynamodb:x. Please ensure the role can perform the GetRecords actions"),
    ),
    "too many calls to Lambda": ("POST /2015-03-31/functions", ("TooManyRequestsException", "Rate exceeded")),
    "too many calls to CloudFormation": ("DescribeStacks", ("Throttling", "Rate exceeded")),
    "too many calls to IAM's and API Gateway's": ("PATCH /restapis", ("TooManyRequestsException", "Rate exceeded")),
}
"""What passes by itself: the call that is refused twice, and with what."""


@dataclass(frozen=True)
class Account:
    """An account and a checkout that deploys into it."""

    cloud: Cloud
    checkout: Checkout

    def there(self, region: str = REGION) -> tuple[int, int, int, int]:
        """Count a region's APIs, functions, subscriptions and tables."""
        cloud = self.cloud
        mappings = cloud.client("lambda", region).list_event_source_mappings()["EventSourceMappings"]
        return len(cloud.apis(region)), len(cloud.functions(region)), len(mappings), len(cloud.tables(region))


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account with nothing in it; nobody waits for what passes by itself."""
    monkeypatch.setattr(TypedAWSClient.__init__, "__defaults__", (lambda _: None,))
    with serving() as cloud:
        yield Account(cloud, copied(tmp_path, is_light=True, **cloud.environment))


@pytest.mark.parametrize("refusal", exhaustive.after(2, [*LATER]))
def test_what_passes_by_itself_is_waited_for(account: Account, refusal: str) -> None:
    """A first deployment asks for much that IAM and the control planes have not heard of, or not so fast."""
    call, error = LATER[refusal]
    account.cloud.refuses[call] = [error, error]
    account.checkout.succeeds("deploy", "dev")
    assert account.cloud.refuses[call] == []
    assert account.there() == (1, 5, 1, 14)


def test_document_that_the_gateway_refuses_is_said_and_the_next_deployment_is_whole(account: Account) -> None:
    """In API Gateway's own words, with what was left alone."""
    account.cloud.refuses[IMPORT] = [("BadRequestException", "Errors found during import: Unable to put integration")]
    done = account.checkout.run("deploy", "dev")
    assert done.status == 1
    assert "Unable to put integration" in " ".join(done.error.split())
    assert (
        "The data was not touched, and the service still runs; some of its functions may be new already." in done.error
    )
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 5, 1, 14)


def test_subscription_that_exists_unseen_is_said_and_found_the_next_time(account: Account) -> None:
    """As of two who deploy at once before either could see it."""
    account.cloud.refuses[SUBSCRIBE] = [("ResourceConflictException", "The event source arn already exists.")]
    done = account.checkout.run("deploy", "dev")
    assert (done.status, "already exists" in done.error) == (1, True)
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 5, 1, 14)


def test_subscription_that_is_still_being_deleted_is_waited_for(account: Account) -> None:
    """Lambda takes minutes over it, and until then takes none in its place."""
    account.checkout.succeeds("deploy", "dev")
    account.cloud.lingers = 1_000
    account.checkout.succeeds("destroy", "dev")
    done = account.checkout.run("deploy", "dev")
    assert (done.status, "Traceback" in done.error) == (1, False)
    assert "Lambda is still deleting the subscription of latchkey-dev-stream" in done.error
    account.cloud.leaving = [(mapping, 4) for mapping, _ in account.cloud.leaving]
    assert "Waiting until the subscription to the stream of events" in account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 5, 1, 14)


def test_stream_that_was_replaced_is_subscribed_to(account: Account) -> None:
    """The subscription to the one before is deleted: it would bring nothing any more."""
    account.checkout.succeeds("deploy", "dev")
    stream = account.cloud.replace_stream("latchkey-dev-events")
    made = account.cloud.formation().stacks[NAME].made
    made["Events"] = made["Events"]._replace(attributes={**made["Events"].attributes, "StreamArn": stream})
    account.checkout.succeeds("deploy", "dev")
    (mapping,) = account.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"] == stream


def test_api_that_was_imported_and_never_deployed_is_found(account: Account) -> None:
    """By the function that its first page calls, though API Gateway lists few resources at a time."""
    account.cloud.fails = Failure(IMPORT, is_done=True)
    assert account.checkout.run("deploy", "dev").status == 1
    assert len(account.cloud.apis()) == 1
    shutil.rmtree(account.checkout.path / ".chalice" / "deployed")
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 5, 1, 14)


def test_subscription_of_a_function_that_was_deleted_by_hand_goes_with_the_stage(account: Account) -> None:
    """And a deployment continues with it."""
    functions = account.cloud.client("lambda")
    account.checkout.succeeds("deploy", "dev")
    functions.delete_function(FunctionName="latchkey-dev-stream")
    assert account.there() == (1, 4, 1, 14)
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 5, 1, 14)
    functions.delete_function(FunctionName="latchkey-dev-stream")
    account.checkout.succeeds("destroy", "dev")
    assert account.there() == (0, 0, 0, 14)


def test_stack_that_is_still_being_deleted_is_waited_for(account: Account) -> None:
    """Its tables are taken into the new one, whose roles can read the functions' environment, also after a failure."""
    account.checkout.succeeds("deploy", "dev")
    formation = account.cloud.formation()
    stack = formation.stacks[NAME]
    stack.protected = False
    account.cloud.client("cloudformation").delete_stack(StackName=NAME)
    formation.stacks[NAME] = replace(stack, status="DELETE_IN_PROGRESS")
    account.cloud.fails = Failure("PUT /2015-03-31/functions", is_done=True)
    done = account.checkout.run("deploy", "dev")
    assert "Waiting until the data stack latchkey-dev-data is deleted" in done.said
    assert (done.status, len(account.cloud.undecryptable())) == (1, 4)
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 5, 1, 14)
    assert account.cloud.undecryptable() == []


def test_role_that_was_made_anew_is_given_again_whatever_its_function_was_told_since(account: Account) -> None:
    """Lambda knows when a function was last changed, and not whether its role could be read from then."""
    account.checkout.succeeds("deploy", "dev")
    iam, name = account.cloud.client("iam"), f"latchkey-dev-{REGION}-api"
    trusts = json.dumps(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
    iam.delete_role_policy(RoleName=name, PolicyName="latchkey")
    iam.delete_role(RoleName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusts)
    account.cloud.client("lambda").update_function_configuration(FunctionName="latchkey-dev", Description="changed")
    assert account.cloud.undecryptable() == ["latchkey-dev"]
    said = account.checkout.succeeds("deploy", "dev")
    assert "The role of latchkey-dev was recreated" in said
    assert account.cloud.undecryptable() == []
    assert "was recreated" not in account.checkout.succeeds("deploy", "dev")


def test_api_is_deleted_however_often_the_gateway_asks_to_wait(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It deletes one in half a minute for all who share the account."""
    account.checkout.succeeds("deploy", "dev")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    account.cloud.refuses["DELETE /restapis"] = [("TooManyRequestsException", "Too Many Requests")] * 8
    account.checkout.succeeds("destroy", "dev")
    assert account.there() == (0, 0, 0, 14)
    account.checkout.succeeds("deploy", "dev")
    account.cloud.refuses["DELETE /restapis"] = [("TooManyRequestsException", "Too Many Requests")] * 11
    done = account.checkout.run("destroy", "dev")
    assert (done.status, "Too Many Requests" in done.error) == (1, True)


def test_subscription_is_updated_once_lambda_knows_the_role(account: Account) -> None:
    """A role that was made anew is as new to a subscription that there is as to one that is made."""
    account.checkout.succeeds("deploy", "dev")
    refused = (INVALID, "Cannot access stream arn:aws:dynamodb:x. Please ensure the role can perform GetRecords")
    account.cloud.refuses["PUT /2015-03-31/event-source-mappings"] = [refused, refused]
    account.checkout.succeeds("deploy", "dev")
    assert account.cloud.refuses["PUT /2015-03-31/event-source-mappings"] == []


def test_stage_that_refuses_anything_but_the_bound_is_no_warning(account: Account) -> None:
    """A deployment that didn't set the stage up ends as one that failed."""
    account.cloud.refuses["PATCH /restapis"] = [("BadRequestException", "Invalid patch path")]
    done = account.checkout.run("deploy", "dev")
    assert (done.status, "Invalid patch path" in done.error, "isn't bounded" in done.said) == (1, True, False)


def test_region_is_destroyed_without_touching_another(account: Account) -> None:
    """From one checkout: roles and dashboards have a region in their names; what is noted is of the region asked."""
    environment = {**account.checkout.environment, "AWS_DEFAULT_REGION": OTHER_REGION}
    elsewhere = replace(account.checkout, environment=environment)
    account.checkout.succeeds("deploy", "dev")
    elsewhere.succeeds("deploy", "dev")
    assert account.there() == account.there(OTHER_REGION) == (1, 5, 1, 14)
    assert account.cloud.dashboards == {f"latchkey-dev-{region}" for region in (REGION, OTHER_REGION)}
    elsewhere.succeeds("destroy", "dev", "--data", "delete", typed="delete dev\n")
    assert account.there(OTHER_REGION) == (0, 0, 0, 0)
    assert account.there() == (1, 5, 1, 14)
    assert account.cloud.dashboards == {f"latchkey-dev-{REGION}"}
    assert {name.removeprefix(f"latchkey-dev-{REGION}-") for name in account.cloud.roles()} == {
        *("api", "authorizer", "stream", "minute", "hour")
    }
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 5, 1, 14)


def test_checkouts_take_turns_in_any_order(account: Account, tmp_path: Path) -> None:
    """Each deploys, destroys and looks at what the other has made."""
    (tmp_path / "other").mkdir()
    other = copied(tmp_path / "other", is_light=True, **account.cloud.environment)
    account.checkout.succeeds("deploy", "dev")
    other.succeeds("destroy", "dev")
    assert account.there() == (0, 0, 0, 14)
    said = account.checkout.succeeds("status", "dev")
    assert "service   none; make deploy makes it" in said
    assert "table     latchkey-dev-accounts: ACTIVE" in said
    account.checkout.succeeds("deploy", "dev")
    other.succeeds("deploy", "dev")
    account.checkout.succeeds("destroy", "dev", "--data", "delete", typed="delete dev\n")
    assert account.there() == (0, 0, 0, 0)
    other.succeeds("destroy", "dev")
    other.succeeds("deploy", "dev")
    assert account.there() == (1, 5, 1, 14)
