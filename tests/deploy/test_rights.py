"""`make policy` prints permissions to deploy, show and destroy a stage, which give no access to another stage."""

import json
import shlex
import subprocess
import sys
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
"""The form of a resource's ARN, by the name of the request parameter that contains the resource's name."""
IN_POLICIES = {"sesv2": "ses"}
"""The names of services in policies, where they differ from botocore's."""
Call = tuple[str, str]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[Call]]:
    """All calls of deploy, status, dry run, repair and destroy, each as action and ARN.

    The stage has a domain. Calls that CloudFormation makes are included.
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
        with patch.context() as by_hand:  # Manual changes aren't calls of a deployment.
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
    return f"{IN_POLICIES.get(model.service_name, model.service_name)}:{operation}"


def _arn(request: dict[str, Any]) -> str:
    for name, form in NAMES.items():
        if name in request:
            own = str(request[name]).rpartition(":")[2]
            service, _, end = form.format(own).partition("::")
            return f"arn:aws:{service}:{'' if service == 'iam' else REGION}:{ACCOUNT}:{end}"
    return ""


def allows(policy: dict[str, Any], action: str, arn: str) -> bool:
    """Return whether a policy allows a call; for a call without a resource only the action counts."""
    return any(
        action in statement["Action"]
        and (not arn or any(fnmatchcase(arn, pattern) for pattern in statement["Resource"]))
        for statement in policy["Statement"]
    )


def test_policy_allows_every_call(calls: set[Call]) -> None:
    """The printed policy allows every call that the commands make."""
    assert len(calls) > 60
    assert {call for call in calls if not allows(rights.policy("dev"), *call)} == set()


def test_policy_of_another_stage_allows_no_named_resource(calls: set[Call]) -> None:
    """The policy of a stage allows no call on a named resource of another stage."""
    named = {(action, arn) for action, arn in calls if arn and action not in rights.LISTED}
    assert len(named) > 25
    assert {call for call in named if allows(rights.policy("prod"), *call)} == set()


def test_only_roles_of_the_stage_are_passed_to_lambda() -> None:
    """`iam:PassRole` is limited to the stage's roles and to Lambda, so a deployer can't use the permissions of another
    role.
    """
    (passing,) = (each for each in rights.policy("dev")["Statement"] if "iam:PassRole" in each["Action"])
    assert passing["Resource"] == ["arn:*:iam::*:role/latchkey-dev-*"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}


@pytest.mark.parametrize("made", [rights.policy, rights.edge, rights.operate])
def test_policy_fits_iams_limit(made: Callable[[str], dict[str, Any]]) -> None:
    """Each policy has at most 6,144 characters without whitespace, the limit of IAM."""
    assert len(json.dumps(made("prod"), separators=(",", ":"))) < 6_144


def test_policies_of_one_stage_fit_into_a_role() -> None:
    """The three policies of one stage fit into a role's inline policies, those of two stages don't, as documented."""
    made = [each("prod") for each in (rights.policy, rights.edge, rights.operate)]
    size = sum(len(json.dumps(each, separators=(",", ":"))) for each in made)
    assert size < 10_240 < 2 * size


def test_policy_allows_the_service_linked_role_of_api_gateway() -> None:
    """The policy allows creating API Gateway's service-linked role, which the account's first domain needs, and no
    other.
    """
    policy, role = rights.policy("dev"), f"arn:aws:iam::{ACCOUNT}:role/aws-service-role"
    made = "iam:CreateServiceLinkedRole"
    assert allows(policy, made, f"{role}/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway")
    assert not allows(policy, made, f"{role}/replicator.lambda.amazonaws.com/AWSServiceRoleForLambdaReplicator")


def test_policy_cannot_attach_managed_policies() -> None:
    """`iam:AttachRolePolicy` isn't allowed, because a deployer could attach AdministratorAccess to a role."""
    assert not any(
        "AttachRolePolicy" in action for each in rights.policy("dev")["Statement"] for action in each["Action"]
    )
    roles = [each for each in template.composed()["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 6
    assert not any("ManagedPolicyArns" in each["Properties"] for each in roles)


def test_recorded_cloudformation_rights_equal_its_schemas() -> None:
    """The recorded permissions equal cfn-lint's schemas; `python -m tests.infra.rights` updates them."""
    known = json.loads(rights.FILE.read_text())
    assert (known["by_type"], known["edge"]) == (by_type(), of_edge())


def test_edge_policy_allows_its_stacks() -> None:
    """The separate edge policy allows every call that the edge stacks need, and only on the stage's resources."""
    (edge,) = rights.edge("dev")["Statement"]
    both = [*rights.policy("dev")["Statement"], edge]
    allowed = [action.lower() for each in both for action in each["Action"]]
    made = {action for actions in of_edge().values() for action in actions}
    assert {action for action in made if not any(fnmatchcase(action.lower(), each) for each in allowed)} == set()
    assert {"apigateway:SetWebACL", "iam:CreateServiceLinkedRole", "lambda:EnableReplication*"} <= set(edge["Action"])
    assert "arn:*:wafv2:*:*:*/webacl/latchkey-dev-*" in edge["Resource"]
    assert not any(action.startswith(("dynamodb:", "ssm:", "cloudformation:")) for action in edge["Action"])


def test_make_policy_prints_each_policy(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`make policy` prints the policies for deploying, for the edge and for operating, each as JSON."""
    for more, made in (([], rights.policy), (["--edge"], rights.edge), (["--operate"], rights.operate)):
        monkeypatch.setattr("sys.argv", ["policy", "--stage", "dev", *more])
        rights.main()
        assert json.loads(capsys.readouterr().out) == made("dev")


def test_documented_boundary_allows_the_functions() -> None:
    """The permissions boundary in the guide allows every action of the functions' policies."""
    words = next(each for each in blocks(section("deploying.md", "The rights to deploy come to more")))
    (statement,) = json.loads(words[words.index("--policy-document") + 1].strip())["Statement"]
    needed = {
        action
        for file in template.POLICIES.glob("*.json")
        for each in json.loads(file.read_text())
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert [each for each in needed if not any(fnmatchcase(each, action) for action in statement["Action"])] == []


def test_policy_can_be_piped_to_head() -> None:
    """`make policy | head` prints the first lines and no traceback, although `head` closes the pipe."""
    command = f"set -o pipefail; {shlex.quote(sys.executable)} -m infra.rights --stage dev | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")
