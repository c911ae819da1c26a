"""A stopped stage can't be deployed, because a deployment would start it during a restore."""

import io
import zipfile

import pytest

from infra import deployed
from infra.deploy import checks, deploy
from infra.failed import DeployError
from tests.deploy.cloud import Cloud

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture
def functions(cloud: Cloud) -> list[str]:
    """The functions of a running stage."""
    made, code = cloud.client("lambda"), io.BytesIO()
    with zipfile.ZipFile(code, "w") as package:
        package.writestr("app.py", "")
    role = cloud.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    names = [f"latchkey-dev{end}" for end in deployed.FUNCTIONS.values()]
    for name in names:
        about = {"FunctionName": name, "Runtime": "python3.13", "Handler": "app.app", "Role": role}
        made.create_function(**about, Code={"ZipFile": code.getvalue()})
    cloud.client("ssm").put_parameter(Name="/latchkey/dev/key", Value="secret", Type="SecureString")
    return names


@pytest.mark.parametrize("which", range(5))
def test_stopped_stage_is_not_deployed(cloud: Cloud, functions: list[str], which: int) -> None:
    """A deployment is rejected while any function is stopped; the error names the command that starts the function."""
    name = functions[which]
    cloud.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(DeployError, match=f"dev is stopped.*delete-function-concurrency --function-name {name}$"):
        deploy.deploy("dev")
    assert cloud.stacks() == {}


def test_running_stage_is_deployed(cloud: Cloud, functions: list[str]) -> None:
    """A stage with or without reserved concurrency, or without functions, can be deployed."""
    checks.check_running("prod")
    checks.check_running("dev")
    cloud.client("lambda").put_function_concurrency(FunctionName=functions[0], ReservedConcurrentExecutions=5)
    checks.check_running("dev")
