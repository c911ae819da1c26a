"""What a run reads of the deployed function, and puts back, on moto."""

import io
import json
import secrets
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.smoke import latency, target

NAME = "latchkey-dev"
VARIABLES = {"LATCHKEY_STAGE": "dev", "LATCHKEY_KEY_KIND": "test", "LATCHKEY_PUBLIC_URL": "https://api.example.com"}


@pytest.fixture
def functions() -> Iterator[Any]:
    """Lambda, with the stage's function in it."""
    with mock_aws(config={"lambda": {"use_docker": False}}):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as written:
            written.writestr("app.py", "")
        trusted = json.dumps({"Version": "2012-10-17", "Statement": []})
        name = f"api-{secrets.token_hex(4)}"  # roles outlive this block where a process has more of moto
        role = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
        client = boto3.client("lambda")
        code, environment = {"ZipFile": packed.getvalue()}, {"Variables": VARIABLES}
        client.create_function(
            FunctionName=NAME, Runtime="python3.13", Role=role, Handler="app.app", Code=code, Environment=environment
        )
        yield client
        client.delete_function(FunctionName=NAME)


def variables(functions: Any) -> dict[str, str]:
    """Return the environment of the function."""
    found: dict[str, str] = functions.get_function_configuration(FunctionName=NAME)["Environment"]["Variables"]
    return found


def test_stage_is_smoked_by_the_settings_of_its_function(functions: Any) -> None:
    """Not by those of a checkout, which may be another version; its own domain is where it is called."""
    chosen = target.select({"STAGE": "dev"})
    assert (chosen.url, chosen.stage, chosen.settings.stage) == ("https://api.example.com", "dev", "dev")
    assert target.select({"STAGE": "dev", "URL": "https://other.example/api/"}).url == "https://other.example/api"


def test_stage_that_is_not_deployed_is_told(functions: Any) -> None:
    """In one sentence with the remedy."""
    with pytest.raises(target.NoTarget, match=r"Nothing is deployed as prod .* make deploy STAGE=prod"):
        target.select({"STAGE": "prod"})


def test_cold_start_leaves_the_function_as_it_was(functions: Any) -> None:
    """Its environment is marked only while cold starts are measured, and put back though that is interrupted."""
    marked = {}

    def interrupted() -> None:
        with latency.restore_environment(NAME) as renew:
            renew("1")
            marked.update(variables(functions))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert marked == {**VARIABLES, latency.MARK: "1"}
    assert variables(functions) == VARIABLES
