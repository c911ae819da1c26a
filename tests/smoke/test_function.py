"""The settings that a smoke run reads from a deployed function and restores afterwards, with moto."""

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
    """A Lambda client for an account with the function of the stage."""
    with mock_aws(config={"lambda": {"use_docker": False}}):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as written:
            written.writestr("app.py", "")
        trusted = json.dumps({"Version": "2012-10-17", "Statement": []})
        name = f"api-{secrets.token_hex(4)}"  # moto keeps the roles of earlier tests, so the name is random.
        role = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
        client = boto3.client("lambda")
        code, environment = {"ZipFile": packed.getvalue()}, {"Variables": VARIABLES}
        client.create_function(
            FunctionName=NAME, Runtime="python3.13", Role=role, Handler="app.app", Code=code, Environment=environment
        )
        yield client
        client.delete_function(FunctionName=NAME)


def variables(functions: Any) -> dict[str, str]:
    """Return the environment variables of the function."""
    found: dict[str, str] = functions.get_function_configuration(FunctionName=NAME)["Environment"]["Variables"]
    return found


def test_run_uses_the_settings_of_the_deployed_function(functions: Any) -> None:
    """A run uses the settings of the deployed function, not those of the checkout. Only the URL can be overridden."""
    chosen = target.select({"STAGE": "dev"})
    assert (chosen.url, chosen.stage, chosen.settings.stage) == ("https://api.example.com", "dev", "dev")
    assert target.select({"STAGE": "dev", "URL": "https://other.example/api/"}).url == "https://other.example/api"


def test_missing_stage_is_reported_with_the_fix(functions: Any) -> None:
    """If the stage isn't deployed, the error names the command that deploys it."""
    with pytest.raises(target.NoTarget, match=r"Nothing is deployed as prod .* make deploy STAGE=prod"):
        target.select({"STAGE": "prod"})


def test_cold_start_measurement_restores_the_environment(functions: Any) -> None:
    """The environment is changed only while cold starts are measured, and is restored even after an interruption."""
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
