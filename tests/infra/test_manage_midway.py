"""Commands of the operator that fail midway: one line says which changes were made, and a bug keeps its traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import boto3
import pytest
from pynamodb.exceptions import PynamoDBException

from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError, classify_error
from infra import deployed, inputs, manage, reachable
from tests.infra.test_manage import COMMANDS
from tests.oauth.flow import register_client
from tests.support.harness import TestApp, stage_key_file

ADA, NOBODY = "ada@example.com", "app_00000000000000000000"
FAULTS = {
    "AccessDeniedException": "The credentials lack a permission (AccessDeniedException: User: u may not). Grant it",
    "ThrottlingException": "DynamoDB is throttling requests (ThrottlingException: ",
    "ExpiredTokenException": "The credentials have expired (ExpiredTokenException: ",
    "InternalServerError": "DynamoDB doesn't respond (InternalServerError: ",
    "ResourceNotFoundException": "Nothing is deployed as test in this account and region.",
}


@contextmanager
def failing(code: str, *, after: int) -> Iterator[list[str]]:
    """Make all DynamoDB calls after the given number fail, and yield the completed operations."""
    real = dynamodb.sender()
    done: list[str] = []

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        if len(done) >= after:
            raise classify_error({"Error": {"Code": code, "Message": "User: u may not"}})
        done.append(operation)
        return real(operation, body)

    with dynamodb.use_sender(send):
        yield done


@pytest.fixture
def stage(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """A stage with an account and an application, and the arguments of every command for them."""
    monkeypatch.setenv("LATCHKEY_STAGE_KEY_FILE", stage_key_file())
    monkeypatch.setenv("LATCHKEY_PUBLIC_URL", "https://api.example.com")
    ada, app = latchkey.account(name="Ada").email, register_client(latchkey)
    known = {
        "--email=ada@example.com": f"--email={ada}",
        "--client-id=app_00000000000000000000": f"--client-id={app.id}",
    }
    with clock.use_sleep(lambda _seconds: None):
        yield [[known.get(word, word) if words[0] != "account" else word for word in words] for words in COMMANDS]


def run(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run a command and return its status and error."""
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["manage", "--stage=test", "--reason=", *words])
    status = manage.main((*inputs.STAGES, "test"))
    return status, capsys.readouterr().err


@pytest.mark.parametrize("code", FAULTS)
def test_command_that_fails_midway_is_reported_in_one_line(
    stage: list[list[str]], code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that fails at any call prints one line. If nothing was changed, the line says so."""
    for words in stage:
        for after in range(1, 4):
            with failing(code, after=after) as done:
                status, said = run(words, monkeypatch, capsys)
            if status == 0:
                break
            assert (status, said.count("\n")) == (1, 1), (words, after, said)
            wrote = bool(reachable.WRITES & set(done))
            if said.startswith(FAULTS[code]) and not wrote and code != "InternalServerError":
                assert reachable.NOTHING_DONE in said, (words, after, said)
            assert wrote is False or reachable.NOTHING_DONE not in said, (words, after, said)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("suspend", "It is safe to run it again."),
        ("key", "revoke it on the account's page at /admin"),
        ("account", "make password-link EMAIL=\u2026 prints a new link."),
        ("incident", "check /status before you run this again."),
    ],
)
def test_lost_response_of_a_write_is_reported_with_the_fix(
    stage: list[list[str]], command: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the response to a write is lost, the error says what to check before the command is repeated."""
    words = next(each for each in stage if each[0] == command)
    real = dynamodb.sender()

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        if operation in reachable.WRITES:
            raise classify_error({"Error": {"Code": "InternalServerError", "Message": ""}})
        return real(operation, body)

    with dynamodb.use_sender(send):
        status, said = run(words, monkeypatch, capsys)
    assert status == 1
    assert said.startswith("DynamoDB doesn't respond (InternalServerError: ).")
    assert says in said


def test_bug_keeps_its_traceback(
    stage: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected exception keeps its traceback."""
    words = next(each for each in stage if each[0] == "tier")
    with failing("ValidationException", after=2), pytest.raises((PynamoDBException, DynamoDBError)):
        run(words, monkeypatch, capsys)
    with pytest.raises(ZeroDivisionError), reachable.explain_errors("test", "tier"):
        raise ZeroDivisionError


@pytest.mark.usefixtures("latchkey")
def test_link_is_printed_when_the_url_cannot_be_looked_up() -> None:
    """If the stage's URL can't be looked up, the link that was created is still printed."""
    with settings.override(replace(settings.current(), public_url="")):
        assert manage._url_of("test") == "https://<the API's address>"


@pytest.mark.usefixtures("latchkey")
def test_link_is_printed_when_the_configuration_is_invalid() -> None:
    """If the configuration with the stage's URL is invalid, the link that was created is still printed."""
    gateways, path = boto3.client("apigateway"), "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    api = gateways.create_rest_api(name="latchkey")["id"]
    place = {
        "restApiId": api,
        "resourceId": gateways.get_resources(restApiId=api)["items"][0]["id"],
        "httpMethod": "GET",
    }
    account = boto3.client("sts").get_caller_identity()["Account"]
    uri = f"{path}arn:aws:lambda:us-east-1:{account}:function:latchkey-test/invocations"
    gateways.put_method(**place, authorizationType="NONE")
    gateways.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    try:
        assert deployed.api_ids("test") == [api]
        with settings.override(replace(settings.current(), public_url="")):
            assert manage._url_of("test") == "https://<the API's address>"
    finally:
        gateways.delete_rest_api(restApiId=api)
