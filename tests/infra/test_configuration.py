"""An invalid `.chalice/config.json` is reported before any AWS call."""

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from chalice.cli import cli as chalices
from chalice.config import Config

from infra import configuration
from infra.deploy import chalice_commands, checks, options
from infra.deploy.command import main

COMMANDS = tuple(options.TAKES)
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
SHIPPED = configuration.FILE.read_text()
FUNCTION = ("stages", "dev", "lambda_functions", "api_handler")


def put(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that sets a value in a configuration."""

    def change(whole: dict[str, Any]) -> None:
        for name in path[:-1]:
            whole = whole[name]
        whole[path[-1]] = value

    return change


def domain(**more: object) -> Callable[[dict[str, Any]], None]:
    """Return a function that sets the domain of a stage."""
    whole = {"domain_name": "api.example.com", "certificate_arn": CERTIFICATE} | more
    return put("stages", "dev", configuration.DOMAIN, value={name: each for name, each in whole.items() if each != ""})


BROKEN = {
    "app_name takes": put("app_name", value="mykeys"),
    "stages takes": put("stages", value=[]),
    "stages.dev is missing": lambda whole: whole["stages"].pop("dev"),
    "stages.dev takes": put("stages", "dev", value=None),
    "api_gateway_stage is missing": lambda whole: whole["stages"]["dev"].pop("api_gateway_stage"),
    "api_gateway_stage takes": put("stages", "dev", "api_gateway_stage", value="v/1"),
    "environment_variables takes": put("environment_variables", value=[]),
    "dev.environment_variables takes": put("stages", "dev", "environment_variables", value=[]),
    "lambda_functions takes": put("stages", "dev", "lambda_functions", value=[]),
    "lambda_functions.api_handler takes": put(*FUNCTION, value="512"),
    "api_handler.lambda_memory_size takes": put(*FUNCTION, "lambda_memory_size", value="512"),
    "api_handler.lambda_timeout takes": put(*FUNCTION, "lambda_timeout", value=901),
    "api_handler.reserved_concurrency takes": put(*FUNCTION, "reserved_concurrency", value=True),
    "lambda_memory_size takes": put("lambda_memory_size", value=64),
    "custom_domain takes": put("stages", "dev", configuration.DOMAIN, value="api.example.com"),
    "domain_name is missing": domain(domain_name=""),
    "domain_name takes": domain(domain_name="https://api.example.com"),
    "certificate_arn is missing": domain(certificate_arn=""),
    "certificate_arn takes the ARN of its certificate": domain(certificate_arn="arn:aws:acm:…:certificate/…"),
    "url_prefix takes": domain(url_prefix=1),
    "url_prefix takes one": domain(url_prefix=None),
    "url_prefix takes one part": domain(url_prefix="/v1/"),
    "url_prefix takes one part of": domain(url_prefix="v1/keys"),
    "api_handler.reserved_concurrency takes a number from 1": put(*FUNCTION, "reserved_concurrency", value=0),
    "dev.manage_iam_role takes false": put("stages", "dev", "manage_iam_role", value=True),
    "api_handler.autogen_policy takes false": put(*FUNCTION, "autogen_policy", value=True),
    "log_retention_in_days takes no value here: make deploy LOG_DAYS=90": put("log_retention_in_days", value=3),
    "automatic_layer takes false": put("stages", "dev", "automatic_layer", value=True),
    "layers takes a list of up to 5 ARNs": put("layers", value=["x"]),
    "api_handler.layers takes": put(*FUNCTION, "layers", value=["arn:aws:lambda:us-east-1:123456789012:layer:tools"]),
    "tags takes an object": put("tags", value={"aws:owner": "us"}),
    "api_handler.xray takes true or false": put(*FUNCTION, "xray", value="yes"),
    "websocket_api_custom_domain takes no value": put("websocket_api_custom_domain", value={}),
    "api_gateway_endpoint_vpce takes": put("stages", "dev", "api_gateway_endpoint_vpce", value=5),
    "a PRIVATE endpoint needs": put("stages", "dev", "api_gateway_endpoint_type", value="PRIVATE"),
    "version takes": put("version", value=3),
    "api_gateway_endpoint_type takes": put("stages", "dev", "api_gateway_endpoint_type", value="REGIONL"),
    "api_gateway_policy_file takes the name of a file": put("api_gateway_policy_file", value="none.json"),
    "minimum_compression_size takes": put("minimum_compression_size", value="abc"),
    "dev.subnet_ids takes no value here, since the roles": put("stages", "dev", "subnet_ids", value=["subnet-1"]),
    "api_handler.subnet_ids takes no value here": put(
        *FUNCTION, value={"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}
    ),
    "mine.subnet_ids and security_group_ids belong together": put(
        "stages", "dev", "lambda_functions", "mine", value={"subnet_ids": ["subnet-1"]}
    ),
    "tls_version takes": domain(tls_version="TLS_1_0"),
    "nothing reads apname. Did you mean app_name?": put("apname", value="latchkey"),
    "nothing reads lambda_memory_sze. Did you mean lambda_memory_size?": put("lambda_memory_sze", value=512),
    "nothing reads stages.dev.api_gateway_custom_domian. Did you mean api_gateway_custom_domain?": put(
        "stages", "dev", "api_gateway_custom_domian", value={}
    ),
    "api_handler.reserved_concurency. Did you mean reserved_concurrency?": put(
        *FUNCTION, "reserved_concurency", value=1
    ),
    "api_handler.api_gateway_stage. Rename or remove it": put(*FUNCTION, "api_gateway_stage", value="api"),
    "manage_iam_role is missing; it takes false": lambda whole: whole.pop("manage_iam_role"),
    "iam_role_arn is missing; it takes a text": lambda whole: whole.pop("iam_role_arn"),
    "iam_policy_file takes no value here": put("iam_policy_file", value="policy.json"),
    "api_handler.iam_policy_file takes no value here": put(*FUNCTION, "iam_policy_file", value="policy.json"),
    "api_handler.iam_role_arn takes no value here": put(*FUNCTION, "iam_role_arn", value="arn:aws:iam::1:role/mine"),
    "dev.environment_variables has 'A B', but Lambda takes a letter": put(
        "stages", "dev", "environment_variables", "A B", value=""
    ),
    "api_handler.environment_variables has 'A'": put(*FUNCTION, "environment_variables", value={"A": ""}),
    "environment_variables has 'AWS_REGION', but Lambda sets that itself": put(
        "environment_variables", value={"AWS_REGION": "eu-west-1"}
    ),
    "api_gateway_custom_domain.certificate. Did you mean certificate_arn?": domain(certificate=CERTIFICATE),
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file of a checkout whose commands can't reach AWS."""
    made = tmp_path / configuration.FILE
    made.parent.mkdir()
    made.write_text(SHIPPED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "client", None)
    return made


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("said", BROKEN)
def test_invalid_value_is_named_with_its_path(
    file: Path, capsys: pytest.CaptureFixture[str], said: str, command: str
) -> None:
    """Every command names an invalid value and its path in one line, before any change."""
    whole = json.loads(SHIPPED)
    BROKEN[said](whole)
    file.write_text(json.dumps(whole))
    assert main([command, "--stage=dev"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(".chalice/config.json")
    assert (said in error, error.count("\n")) == (True, 1)


def test_every_chalice_key_is_known() -> None:
    """Every key that Chalice reads is known at each level at which Chalice reads it."""
    source = inspect.getsource(Config)
    reads = set(re.findall(r"_chain_(?:lookup|merge)\(\s*'(\w+)'", source)) - {"profile", "project_dir", "chalice_app"}
    of_function = set(re.findall(r"_chain_lookup\(\s*'(\w+)'[^)]*varies_per_function=True", source))
    assert reads <= {*configuration.OF_LEVEL, *configuration.OF_WHOLE}
    assert of_function | {"environment_variables", "tags"} == set(configuration.OF_FUNCTION)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("text", [None, "", SHIPPED[:50], "[]", "null", "\x00", b"{\xff}", "[" * 200_000])
def test_unreadable_configuration_is_reported_with_the_fix(
    file: Path, capsys: pytest.CaptureFixture[str], text: str | bytes | None, command: str
) -> None:
    """If the configuration is missing or malformed, the error names the command that restores it."""
    if text is None:
        file.unlink()
    else:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main([command, "--stage=dev"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(".chalice/config.json")
    assert error.endswith("git checkout .chalice/config.json\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_duplicate_key_is_rejected(file: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A duplicate key is rejected, since JSON parsers silently use the last value."""
    file.write_text(SHIPPED.replace('"lambda_timeout": 28', '"lambda_timeout": 28, "lambda_timeout": 20', 1))
    assert main([command, "--stage=dev"]) == 1
    error = capsys.readouterr().err
    assert error.startswith('.chalice/config.json: "lambda_timeout" is twice in one object')
    assert error.count("\n") == 1


@pytest.mark.parametrize("prefix", ["", "v1", "/", "(none)"])
def test_valid_domain_is_accepted(file: Path, prefix: str) -> None:
    """A domain is accepted without a base path or with a base path that has one part."""
    whole = json.loads(SHIPPED)
    domain(url_prefix=prefix)(whole)
    file.write_text(json.dumps(whole))
    configured = configuration.domain("dev")
    assert configured is not None
    assert configured.get("url_prefix", "") == prefix


def test_interrupted_command_exits_without_a_traceback(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends a command with a message and the exit status that shells use."""
    assert file.exists()

    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)
    monkeypatch.setattr(checks, "where", lambda: "an account")
    assert main(["destroy", "--stage=dev", "--data=delete"]) == 130
    assert "Interrupted. What was done by then stays done" in capsys.readouterr().err


def test_interrupted_chalice_command_exits_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a Chalice command ends the command like any other, although Chalice raises another exception."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(chalices, "invoke", interrupt)
    with pytest.raises(KeyboardInterrupt):
        chalice_commands.chalice("deploy", "dev")
