"""After an AWS error a deployment retries, or prints one line with the fix.

The regions of one account are independent.
"""

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
"""Transient errors: for each, the call that fails twice and the error."""


@dataclass(frozen=True)
class Account:
    """An account, and a checkout from which commands deploy into it."""

    cloud: Cloud
    checkout: Checkout

    def there(self, region: str = REGION) -> tuple[int, int, int, int]:
        """Count the APIs, functions, event source mappings and tables in a region."""
        cloud = self.cloud
        mappings = cloud.client("lambda", region).list_event_source_mappings()["EventSourceMappings"]
        return len(cloud.apis(region)), len(cloud.functions(region)), len(mappings), len(cloud.tables(region))


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account, in which retries don't wait."""
    monkeypatch.setattr(TypedAWSClient.__init__, "__defaults__", (lambda _: None,))
    with serving() as cloud:
        yield Account(cloud, copied(tmp_path, is_light=True, **cloud.environment))


@pytest.mark.parametrize("refusal", exhaustive.after(2, [*LATER]))
def test_transient_errors_are_retried(account: Account, refusal: str) -> None:
    """A first deployment retries throttled calls, and calls that fail because of eventual consistency."""
    call, error = LATER[refusal]
    account.cloud.refuses[call] = [error, error]
    account.checkout.succeeds("deploy", "dev")
    assert account.cloud.refuses[call] == []
    assert account.there() == (1, 6, 2, 17)


def test_rejected_api_document_is_reported(account: Account) -> None:
    """A deployment prints API Gateway's error for a rejected document, and the next deployment succeeds."""
    account.cloud.refuses[IMPORT] = [("BadRequestException", "Errors found during import: Unable to put integration")]
    done = account.checkout.run("deploy", "dev")
    assert done.status == 1
    assert "Unable to put integration" in " ".join(done.error.split())
    assert (
        "The data was not touched. A service that ran before still runs; some functions may be new already."
        in done.error
    )
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 6, 2, 17)


def test_conflicting_subscription_is_reported_then_adopted(account: Account) -> None:
    """If a concurrent deployment has created the subscription, the error says so, and the next deployment adopts it."""
    account.cloud.refuses[SUBSCRIBE] = [("ResourceConflictException", "The event source arn already exists.")]
    done = account.checkout.run("deploy", "dev")
    assert (done.status, "already exists" in done.error) == (1, True)
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 6, 2, 17)


def test_subscription_that_is_still_being_deleted_is_waited_for(account: Account) -> None:
    """A deployment waits until Lambda has deleted the previous subscription, and reports it if this takes too long."""
    account.checkout.succeeds("deploy", "dev")
    account.cloud.lingers = 1_000
    account.checkout.succeeds("destroy", "dev")
    done = account.checkout.run("deploy", "dev")
    assert (done.status, "Traceback" in done.error) == (1, False)
    assert "Lambda is still deleting the subscription of latchkey-dev-job, latchkey-dev-stream" in done.error
    account.cloud.leaving = [(mapping, 4) for mapping, _ in account.cloud.leaving]
    said = account.checkout.succeeds("deploy", "dev")
    assert "Waiting until Lambda has deleted the former subscription of latchkey-dev-job, latchkey-dev-stream" in said
    assert account.there() == (1, 6, 2, 17)


def test_replaced_stream_gets_a_new_subscription(account: Account) -> None:
    """A deployment subscribes to a stream that was replaced, and deletes the subscription to the old stream."""
    account.checkout.succeeds("deploy", "dev")
    stream = account.cloud.replace_stream("latchkey-dev-events")
    made = account.cloud.formation().stacks[NAME].made
    made["Events"] = made["Events"]._replace(attributes={**made["Events"].attributes, "StreamArn": stream})
    account.checkout.succeeds("deploy", "dev")
    mappings = account.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    of_events = [each["EventSourceArn"] for each in mappings if each["FunctionArn"].endswith("-stream")]
    assert (of_events, len(mappings)) == ([stream], 2)


def test_imported_api_without_deployment_is_adopted(account: Account) -> None:
    """An API that was imported but not deployed is adopted, because its root calls the stage's function."""
    account.cloud.fails = Failure(IMPORT, is_done=True)
    assert account.checkout.run("deploy", "dev").status == 1
    assert len(account.cloud.apis()) == 1
    shutil.rmtree(account.checkout.path / ".chalice" / "deployed")
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 6, 2, 17)


def test_subscription_of_a_deleted_function_is_adopted_or_deleted(account: Account) -> None:
    """If a function was deleted by hand, a deployment adopts its subscription and destroy deletes it."""
    functions = account.cloud.client("lambda")
    account.checkout.succeeds("deploy", "dev")
    functions.delete_function(FunctionName="latchkey-dev-stream")
    assert account.there() == (1, 5, 2, 17)
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 6, 2, 17)
    functions.delete_function(FunctionName="latchkey-dev-stream")
    account.checkout.succeeds("destroy", "dev")
    assert account.there() == (0, 0, 0, 17)


def test_stack_that_is_still_being_deleted_is_waited_for(account: Account) -> None:
    """A deployment waits until the old stack is deleted, then imports its tables and gives the functions the
    new roles.
    """
    account.checkout.succeeds("deploy", "dev")
    formation = account.cloud.formation()
    stack = formation.stacks[NAME]
    stack.protected = False
    account.cloud.client("cloudformation").delete_stack(StackName=NAME)
    formation.stacks[NAME] = replace(stack, status="DELETE_IN_PROGRESS")
    account.cloud.fails = Failure("PUT /2015-03-31/functions", is_done=True)
    done = account.checkout.run("deploy", "dev")
    assert "Waiting until the data stack latchkey-dev-data is deleted" in done.said
    assert (done.status, len(account.cloud.undecryptable())) == (1, 5)
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 6, 2, 17)
    assert account.cloud.undecryptable() == []


def test_recreated_role_is_assigned_again(account: Account) -> None:
    """A role that was created again is assigned to its function again, because only then it can decrypt the
    environment.
    """
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


def test_throttled_api_deletion_is_retried(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make destroy` retries the deletion of an API, because API Gateway allows only one deletion in 30 seconds."""
    account.checkout.succeeds("deploy", "dev")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    account.cloud.refuses["DELETE /restapis"] = [("TooManyRequestsException", "Too Many Requests")] * 8
    account.checkout.succeeds("destroy", "dev")
    assert account.there() == (0, 0, 0, 17)
    account.checkout.succeeds("deploy", "dev")
    account.cloud.refuses["DELETE /restapis"] = [("TooManyRequestsException", "Too Many Requests")] * 11
    done = account.checkout.run("destroy", "dev")
    assert (done.status, "Too Many Requests" in done.error) == (1, True)


def test_subscription_update_is_retried_for_a_new_role(account: Account) -> None:
    """An update of a subscription is retried until Lambda accepts a role that was created again."""
    account.checkout.succeeds("deploy", "dev")
    refused = (INVALID, "Cannot access stream arn:aws:dynamodb:x. Please ensure the role can perform GetRecords")
    account.cloud.refuses["PUT /2015-03-31/event-source-mappings"] = [refused, refused]
    account.checkout.succeeds("deploy", "dev")
    assert account.cloud.refuses["PUT /2015-03-31/event-source-mappings"] == []


def test_other_stage_errors_fail_the_deployment(account: Account) -> None:
    """A deployment fails if API Gateway rejects a setting of the stage other than the throttling limit."""
    account.cloud.refuses["PATCH /restapis"] = [("BadRequestException", "Invalid patch path")]
    done = account.checkout.run("deploy", "dev")
    assert (done.status, "Invalid patch path" in done.error, "isn't bounded" in done.said) == (1, True, False)


def test_destroy_leaves_other_regions_alone(account: Account) -> None:
    """`make destroy` in one region keeps roles, dashboards and service of another region."""
    environment = {**account.checkout.environment, "AWS_DEFAULT_REGION": OTHER_REGION}
    elsewhere = replace(account.checkout, environment=environment)
    account.checkout.succeeds("deploy", "dev")
    elsewhere.succeeds("deploy", "dev")
    assert account.there() == account.there(OTHER_REGION) == (1, 6, 2, 17)
    assert account.cloud.dashboards == {f"latchkey-dev-{region}" for region in (REGION, OTHER_REGION)}
    elsewhere.succeeds("destroy", "dev", "--data", "delete", typed="delete dev\n")
    assert account.there(OTHER_REGION) == (0, 0, 0, 0)
    assert account.there() == (1, 6, 2, 17)
    assert account.cloud.dashboards == {f"latchkey-dev-{REGION}"}
    assert {name.removeprefix(f"latchkey-dev-{REGION}-") for name in account.cloud.roles()} == {
        *("api", "authorizer", "stream", "job", "minute", "hour")
    }
    account.checkout.succeeds("deploy", "dev")
    assert account.there() == (1, 6, 2, 17)


def test_checkouts_alternate_in_any_order(account: Account, tmp_path: Path) -> None:
    """Each of two checkouts can deploy, show and destroy what the other one deployed."""
    (tmp_path / "other").mkdir()
    other = copied(tmp_path / "other", is_light=True, **account.cloud.environment)
    account.checkout.succeeds("deploy", "dev")
    other.succeeds("destroy", "dev")
    assert account.there() == (0, 0, 0, 17)
    said = account.checkout.succeeds("status", "dev")
    assert "service   none; make deploy makes it" in said
    assert "table     latchkey-dev-accounts: ACTIVE" in said
    account.checkout.succeeds("deploy", "dev")
    other.succeeds("deploy", "dev")
    account.checkout.succeeds("destroy", "dev", "--data", "delete", typed="delete dev\n")
    assert account.there() == (0, 0, 0, 0)
    other.succeeds("destroy", "dev")
    other.succeeds("deploy", "dev")
    assert account.there() == (1, 6, 2, 17)
