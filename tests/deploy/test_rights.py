"""`make policy`: its rights suffice to deploy, look at and destroy a stage, and touch no other."""

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from infra import configuration, rights, template
from tests.deploy.checkout import copied
from tests.deploy.cloud import ACCOUNT, serving
from tests.deploy.cloud_requests import REGION
from tests.deploy.test_drift import SWITCHED_OFF
from tests.infra.commands import blocks, section
from tests.infra.rights import by_type, of_edge

pytestmark = pytest.mark.xdist_group("stack")
NAMES = {
    "TableName": "dynamodb::table/{}", "FunctionName": "lambda::function:{}", "StackName": "cloudformation::stack/{}/1",
    "Rule": "events::rule/{}", "RoleName": "iam::role/{}",
}  # fmt: skip
"""Of what a call names: its ARN, where service and kind stand."""
Call = tuple[str, str]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[Call]]:
    """Every call of a deployment, a look, a rehearsal, a deployment that mends, and the end: action and ARN.

    The stage has a domain. The calls that CloudFormation makes are among them.
    """
    made: set[Call] = set()
    send = BaseClient._make_api_call

    def noting(client: Any, operation: str, request: dict[str, Any]) -> Any:
        made.add((_action(client, operation), _arn(request)))
        return send(client, operation, request)

    with serving() as cloud, pytest.MonkeyPatch.context() as patch:
        checkout = copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment)
        _set_domain(checkout.path / ".chalice" / "config.json")
        patch.setattr(BaseClient, "_make_api_call", noting)
        checkout.succeeds("deploy", "dev")
        checkout.succeeds("status", "dev")
        checkout.succeeds("deploy", "dev", "--dry-run")
        with patch.context() as by_hand:  # what somebody else does is no call of a deployment's
            by_hand.setattr(BaseClient, "_make_api_call", send)
            for each in SWITCHED_OFF.values():
                each.by_hand(cloud)
        checkout.succeeds("deploy", "dev", "--alarm-email", "ops@example.com")
        checkout.succeeds("destroy", "dev", "--data", "delete", typed="delete dev\n")
        patch.undo()
        yield made


def _set_domain(file: Path) -> None:
    whole = json.loads(file.read_text())
    certificate = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1"
    whole["stages"]["dev"][configuration.DOMAIN] = {"domain_name": "api.example.com", "certificate_arn": certificate}
    file.write_text(json.dumps(whole))


def _action(client: Any, operation: str) -> str:
    model = client.meta.service_model
    if model.service_name in ("apigateway", "apigatewayv2"):
        return f"apigateway:{model.operation_model(operation).http['method']}"
    return f"{model.service_name}:{operation}"


def _arn(request: dict[str, Any]) -> str:
    for name, form in NAMES.items():
        if name in request:
            own = str(request[name]).rpartition(":")[2]
            service, _, end = form.format(own).partition("::")
            return f"arn:aws:{service}:{'' if service == 'iam' else REGION}:{ACCOUNT}:{end}"
    return ""


def allows(policy: dict[str, Any], action: str, arn: str) -> bool:
    """Return whether a policy allows a call; one that names nothing is judged by its action."""
    return any(
        action in statement["Action"]
        and (not arn or any(fnmatchcase(arn, pattern) for pattern in statement["Resource"]))
        for statement in policy["Statement"]
    )


def test_policy_allows_every_call_that_is_made(calls: set[Call]) -> None:
    """Nobody finds out in the middle of a deployment that something isn't allowed."""
    assert len(calls) > 60
    assert {call for call in calls if not allows(rights.policy("dev"), *call)} == set()


def test_policy_of_a_stage_is_worth_nothing_for_another(calls: set[Call]) -> None:
    """What can be named is."""
    named = {(action, arn) for action, arn in calls if arn and action not in rights.LISTED}
    assert len(named) > 25
    assert {call for call in named if allows(rights.policy("prod"), *call)} == set()


def test_functions_are_given_roles_of_the_stage_alone_and_they_to_nothing_else() -> None:
    """With leave to pass any role, a deployer could assume the role with the most rights."""
    (passing,) = (each for each in rights.policy("dev")["Statement"] if "iam:PassRole" in each["Action"])
    assert passing["Resource"] == ["arn:*:iam::*:role/latchkey-dev-*"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}


@pytest.mark.parametrize("made", [rights.policy, rights.edge, rights.operate])
def test_policy_is_as_short_as_iam_takes(made: Callable[[str], dict[str, Any]]) -> None:
    """6,144 characters without whitespace."""
    assert len(json.dumps(made("prod"), separators=(",", ":"))) < 6_144


def test_first_domain_of_an_account_takes_no_rights_of_the_edge() -> None:
    """API Gateway creates its role then, with the rights of the caller; no other service's role is allowed."""
    policy, role = rights.policy("dev"), f"arn:aws:iam::{ACCOUNT}:role/aws-service-role"
    made = "iam:CreateServiceLinkedRole"
    assert allows(policy, made, f"{role}/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway")
    assert not allows(policy, made, f"{role}/replicator.lambda.amazonaws.com/AWSServiceRoleForLambdaReplicator")


def test_no_managed_policy_is_attached_to_a_role() -> None:
    """The roles of a stage have none, and AdministratorAccess would be one."""
    assert not any(
        "AttachRolePolicy" in action for each in rights.policy("dev")["Statement"] for action in each["Action"]
    )
    roles = [each for each in template.composed()["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 5
    assert not any("ManagedPolicyArns" in each["Properties"] for each in roles)


def test_what_cloudformation_calls_is_what_its_schemas_say() -> None:
    """Where this fails, a new cfn-lint knows newer ones: `python -m tests.infra.rights`, and look at the difference."""
    known = json.loads(rights.FILE.read_text())
    assert (known["by_type"], known["edge"]) == (by_type(), of_edge())


def test_edge_has_a_policy_of_its_own_which_allows_what_its_stacks_make() -> None:
    """What can be named is the stage's; without an edge it is not included."""
    (edge,) = rights.edge("dev")["Statement"]
    both = [*rights.policy("dev")["Statement"], edge]
    allowed = [action.lower() for each in both for action in each["Action"]]
    made = {action for actions in of_edge().values() for action in actions}
    assert {action for action in made if not any(fnmatchcase(action.lower(), each) for each in allowed)} == set()
    assert {"apigateway:SetWebACL", "iam:CreateServiceLinkedRole", "lambda:EnableReplication*"} <= set(edge["Action"])
    assert "arn:*:wafv2:*:*:*/webacl/latchkey-dev-*" in edge["Resource"]
    assert not any(action.startswith(("dynamodb:", "ssm:", "cloudformation:")) for action in edge["Action"])


def test_policy_is_printed_by_make(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As IAM takes it: for deploying, for the edge besides, and for operating."""
    for more, made in (([], rights.policy), (["--edge"], rights.edge), (["--operate"], rights.operate)):
        monkeypatch.setattr("sys.argv", ["policy", "--stage", "dev", *more])
        rights.main()
        assert json.loads(capsys.readouterr().out) == made("dev")


def test_boundary_of_the_guide_lets_the_functions_do_what_they_need() -> None:
    """A role that is bound by it loses nothing."""
    words = next(each for each in blocks(section("deploying.md", "The rights to deploy come to more")))
    (statement,) = json.loads(words[words.index("--policy-document") + 1].strip())["Statement"]
    needed = {
        action
        for file in template.POLICIES.glob("*.json")
        for each in json.loads(file.read_text())
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert [each for each in needed if not any(fnmatchcase(each, action) for action in statement["Action"])] == []
