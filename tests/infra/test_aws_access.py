"""Invalid AWS configuration and AWS errors: every command that calls AWS reports them in one line."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import pytest

from chalicelib.core.dynamodb import client as dynamodb
from infra import engine, manage, rights
from infra.deploy import command as deployment
from infra.smoke import command as smoke

GOOD = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIATEST",
    "AWS_SECRET_ACCESS_KEY": "the-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}
ARGUMENTS = {
    "status": (deployment.main, ["status", "--stage=dev"]),
    "deploy": (deployment.main, ["deploy", "--stage=dev"]),
    "rehearsal": (deployment.main, ["deploy", "--stage=dev", "--dry-run"]),
    "rotate-edge": (deployment.main, ["rotate-edge", "--stage=dev"]),
    "destroy": (deployment.main, ["destroy", "--stage=dev"]),
}
ASKING = (*ARGUMENTS, "smoke", "key", "admins")
"""The commands that call AWS."""
SSO = """[profile sso]
region = eu-central-1
sso_session = me
sso_account_id = 123456789012
sso_role_name = deploys
[sso-session me]
sso_region = eu-central-1
sso_start_url = https://example.awsapps.com/start
"""
SERVICES = "[default]\nservices = own\n[services own]\nlambda =\n  endpoint_url = rubbish\n"
Ran = Callable[[str], tuple[int, str]]


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Ran]:
    """A function that runs a command with credentials and returns its status and error."""
    for name, value in {**GOOD, "HOME": str(tmp_path), "STAGE": "dev"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "AWS_CA_BUNDLE", "URL"):
        monkeypatch.delenv(name, raising=False)

    def run(name: str) -> tuple[int, str]:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        dynamodb.reset_connections()
        capsys.readouterr()
        if name in ARGUMENTS:
            main, words = ARGUMENTS[name]
            status = main(words)
        elif name == "smoke":
            status = smoke.main()
        else:
            words = ["--email=ada@example.com"] if name == "key" else []
            monkeypatch.setattr(sys, "argv", ["manage", "--stage=dev", "--reason=", name, *words])
            status = manage.main()
        return status, capsys.readouterr().err

    yield run
    dynamodb.reset_connections()


VARIABLES = {
    "AWS_PROFILE='nope' can't be used: ~/.aws/config and ~/.aws/credentials don't define it": {"AWS_PROFILE": "nope"},
    "AWS_PROFILE='' can't be used": {"AWS_PROFILE": ""},
    "AWS_MAX_ATTEMPTS='x' can't be used: it takes a number from 1.": {"AWS_MAX_ATTEMPTS": "x"},
    "AWS_MAX_ATTEMPTS='0' can't be used": {"AWS_MAX_ATTEMPTS": "0"},
    "AWS_MAX_ATTEMPTS='' can't be used": {"AWS_MAX_ATTEMPTS": ""},
    "AWS_RETRY_MODE='x' can't be used: it takes legacy, standard or adaptive.": {"AWS_RETRY_MODE": "x"},
    "AWS_DEFAULTS_MODE='x' can't be used": {"AWS_DEFAULTS_MODE": "x"},
    "AWS_STS_REGIONAL_ENDPOINTS='x' can't be used": {"AWS_STS_REGIONAL_ENDPOINTS": "x"},
    "AWS_METADATA_SERVICE_TIMEOUT='x' can't be used": {"AWS_METADATA_SERVICE_TIMEOUT": "x"},
    "AWS_REQUEST_CHECKSUM_CALCULATION='x' can't be used": {"AWS_REQUEST_CHECKSUM_CALCULATION": "x"},
    "AWS_ENDPOINT_URL='rubbish' can't be used: it takes an address": {"AWS_ENDPOINT_URL": "rubbish"},
    "AWS_ENDPOINT_URL='ftp://x' can't be used": {"AWS_ENDPOINT_URL": "ftp://x"},
    "AWS_ENDPOINT_URL='http://[::1' can't be used": {"AWS_ENDPOINT_URL": "http://[::1"},
    "AWS_ENDPOINT_URL='http://x:99999' can't be used": {"AWS_ENDPOINT_URL": "http://x:99999"},
    "AWS_ENDPOINT_URL_LAMBDA='x' can't be used": {"AWS_ENDPOINT_URL_LAMBDA": "x"},
    "AWS_CA_BUNDLE='/none' can't be used: it takes the name of a file with": {"AWS_CA_BUNDLE": "/none"},
    "AWS_CA_BUNDLE='pyproject.toml' can't be used": {"AWS_CA_BUNDLE": "pyproject.toml"},
    "REQUESTS_CA_BUNDLE='/none' can't be used": {"REQUESTS_CA_BUNDLE": "/none"},
    "AWS_DEFAULT_REGION='rubbish' can't be used: AWS has no such region.": {"AWS_DEFAULT_REGION": "rubbish"},
    "AWS_DEFAULT_REGION='a\\nb' can't be used": {"AWS_DEFAULT_REGION": "a\nb"},
    f"AWS_DEFAULT_REGION='{'a' * 60}…' can't be used": {"AWS_DEFAULT_REGION": "a" * 300},
    "No AWS region is set: set AWS_DEFAULT_REGION (boto3 doesn't read AWS_REGION)": {"AWS_DEFAULT_REGION": ""},
    "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY isn't": {"AWS_SECRET_ACCESS_KEY": ""},
    "AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID isn't": {"AWS_ACCESS_KEY_ID": ""},
    "No AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
}


@pytest.mark.parametrize("said", VARIABLES)
@pytest.mark.parametrize("name", ASKING)
def test_invalid_aws_variable_is_named_with_the_fix(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, said: str, name: str
) -> None:
    """Every command names an invalid AWS variable before its first call, and never prints a secret."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for variable, value in VARIABLES[said].items():
        monkeypatch.setenv(variable, value)
    status, error = ran(name)
    assert (status, error.count("\n"), "the-secret" in error) == (1, 1, False)
    assert error.startswith(said)


CONFIGURED = {
    "AWS_CONFIG_FILE='{}' can't be used: it isn't a file of profiles": "[default\nregion = x",
    "AWS_CONFIG_FILE='{}' can't be used: it isn't": b"[default]\nregion=\xff\xfe\n",
    "AWS_CONFIG_FILE='{}' can't be used: it is a folder.": None,
    "max_attempts of the profile default='x' can't be used": "[default]\nmax_attempts = x\n",
    "retry_mode of the profile default='x' can't be used": "[default]\nretry_mode = x\n",
    "endpoint_url of the profile default='x' can't be used": "[default]\nendpoint_url = x\n",
    "endpoint_url of lambda, services own='rubbish' can't be used": SERVICES,
    "region of the profile default='rubbish' can't be used": "[default]\nregion = rubbish\n",
}


@pytest.mark.parametrize("said", CONFIGURED)
@pytest.mark.parametrize("name", ASKING)
def test_invalid_aws_config_file_is_named_with_the_fix(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, name: str
) -> None:
    """Every command names an unreadable AWS config file, or the invalid setting in it."""
    file, text = tmp_path / "given", CONFIGURED[said]
    if text is None:
        file.mkdir()
    else:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    for variable in ("AWS_MAX_ATTEMPTS", "AWS_DEFAULT_REGION") if "of the profile" in said else ():
        monkeypatch.delenv(variable)
    status, error = ran(name)
    assert (status, error.count("\n")) == (1, 1)
    assert error.startswith(said.format(str(file)[:60] + "…" if len(str(file)) > 60 else file))


@pytest.mark.parametrize("name", ASKING)
def test_profile_without_credentials_is_named(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Every command names a profile whose SSO session has expired or whose key is incomplete."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable)
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_text(SSO)
    (folder / "credentials").write_text("[half]\naws_access_key_id = AKIATEST\n")
    monkeypatch.setenv("AWS_PROFILE", "sso")
    status, error = ran(name)
    assert (status, error.count("\n")) == (1, 1)
    assert error.startswith("The session of the profile sso (which AWS_PROFILE names) has expired or wasn't started")
    assert "aws sso login --profile sso" in error
    monkeypatch.setenv("AWS_PROFILE", "half")
    status, error = ran(name)
    assert (status, error.count("\n")) == (1, 1)
    assert error.startswith("aws_secret_access_key is missing in the profile half (which AWS_PROFILE names).")
    monkeypatch.setenv("AWS_PROFILE", "halve")
    assert "the profiles are half, sso." in ran(name)[1]


class Refusing(HTTPServer):
    """An AWS endpoint that rejects every call with the same error code."""

    code = ""
    message = "It is refused."


class _Refusal(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Refusing)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # CloudFormation and STS send forms, and their errors are XML.
        if "form" in (self.headers.get("Content-Type") or ""):
            error = f"<Error><Type>Sender</Type><Code>{server.code}</Code><Message>{server.message}</Message></Error>"
            body = f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()
        else:
            body = json.dumps({"__type": server.code, "message": server.message}).encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-ErrorType", server.code)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the base class looks for it

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class named it
        pass


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Refusing]:
    """An endpoint that rejects every call, and to which AWS_ENDPOINT_URL points."""
    server = Refusing(("127.0.0.1", 0), _Refusal)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


CODES = {
    "ExpiredToken": ("The credentials have expired (", "Renew AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    "ExpiredTokenException": ("The credentials have expired (", "Renew "),
    "InvalidClientTokenId": ("AWS doesn't know the access key (", "Correct AWS_ACCESS_KEY_ID and"),
    "UnrecognizedClientException": ("AWS doesn't know the access key (", "choose another AWS_PROFILE"),
    "SignatureDoesNotMatch": ("The secret doesn't belong to the access key (", "copy both values again"),
    "InvalidSignatureException": ("The secret doesn't belong to the access key (", "copy both values again"),
    "RequestTimeTooSkewed": ("The clock of this machine is wrong (", "Set it, then run this again"),
    "AccessDenied": ("The credentials lack a permission (", "make policy prints the policy"),
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", ASKING)
def test_rejected_credentials_are_reported_with_the_fix(ran: Ran, refusing: Refusing, code: str, name: str) -> None:
    """Every command explains AWS's error code, and prints only the first line of AWS's message."""
    refusing.code, refusing.message = code, "It is refused.\nx-amz-security-token:the-token"
    status, error = ran(name)
    assert (status, error.count("\n"), "the-token" in error) == (1, 1, False)
    begins, remedy = CODES[code]
    assert error.startswith(begins)
    assert code in error
    assert remedy in error


@pytest.mark.parametrize("name", ASKING)
def test_clock_skew_is_distinguished_from_a_wrong_secret(ran: Ran, refusing: Refusing, name: str) -> None:
    """Clock skew is recognised by AWS's message, because most services use the same error code for clock skew and for a
    wrong secret.
    """
    refusing.code, refusing.message = "InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier"
    status, error = ran(name)
    assert (status, error.count("\n")) == (1, 1)
    assert error.startswith("The clock of this machine is wrong (")


@pytest.mark.parametrize("name", ASKING)
def test_unreachable_endpoint_is_reported_with_its_variables(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Every command names the unreachable endpoint and the variables that set it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{engine.free_port()}")
    status, error = ran(name)
    assert (status, error.count("\n")) == (1, 1)
    assert "doesn't respond" in error
    assert "AWS_ENDPOINT_URL" in error
    assert "AWS_DEFAULT_REGION" in error


def test_local_command_needs_no_aws_configuration(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command without AWS calls works even if the AWS configuration is invalid."""
    monkeypatch.setenv("AWS_PROFILE", "nope")
    monkeypatch.setattr(sys, "argv", ["policy", "--stage=dev"])
    assert rights.main() == 0
    assert json.loads(capsys.readouterr().out)["Version"] == "2012-10-17"
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{engine.free_port()}")
    monkeypatch.setattr(engine, "RUNNING", tmp_path / "running.json")
    # A local command sets these variables in its own process.
    for name in ("PUBLIC_URL", "STAGE", "KEY_KIND", "STAGE_KEY_FILE"):
        monkeypatch.setenv(f"LATCHKEY_{name}", "http://127.0.0.1:8000" if name == "PUBLIC_URL" else "test")
    monkeypatch.setattr(sys, "argv", ["manage", "--stage=local", "--reason=", "admins"])
    assert manage.main() == 1
    assert "The local database doesn't respond" in capsys.readouterr().err
