"""Cold starts: an API request doesn't import the authorization server, and a token request doesn't import the pages."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRESH = """
import json, os, sys
import tests.conftest
from chalicelib.core.dynamodb import client as dynamodb
from infra import data
from moto import mock_aws
from tests.support import moto_server
from tests.support.harness import run_app

with mock_aws(), moto_server.serve_moto() as os.environ["AWS_ENDPOINT_URL_DYNAMODB"]:
    dynamodb.READ_TIMEOUT_S = moto_server.RESPONSE_TIMEOUT_S
    with run_app() as home:
        data.create_missing_tables()
        secret = home.key(home.account()).secret
    # A process that has just started: what the preparations imported is forgotten.
    for name in list(sys.modules):
        if name.partition(".")[0] in {forgotten!r}:
            del sys.modules[name]
    os.environ["LATCHKEY_STAGE"] = "test"
    from app import app
    from chalicelib.core.dynamodb import client as dynamodb
    dynamodb.READ_TIMEOUT_S = moto_server.RESPONSE_TIMEOUT_S
    from infra.local_gateway.gateway import Gateway

    headers = [("Authorization", "Bearer " + secret), ("Content-Type", "application/json")]
    answer = Gateway(app).handle({method!r}, {target!r}, headers, {body!r})
    assert answer.status == {status}, answer
print("\\n" + json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
PROTOCOL = {"cryptography"}
PAGES = {"jinja2", "argon2", "zxcvbn"}
FORGOTTEN = sorted({"app", "chalicelib", "infra", "pynamodb"} | PROTOCOL | PAGES)


def list_imports(method: str, target: str, status: int, body: bytes = b"") -> set[str]:
    """Return the modules that a new process has imported after one request."""
    script = FRESH.format(forgotten=FORGOTTEN, method=method, target=target, status=status, body=body)
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_first_api_request_imports_no_cryptography() -> None:
    """The first API request imports no cryptography, templates or password hashing."""
    imported = list_imports("GET", "/v1/users/me", 200)
    assert {"chalicelib", "chalice"} <= imported
    assert not imported & (PROTOCOL | PAGES)


def test_first_token_request_imports_no_pages() -> None:
    """The first token request imports nothing that only the console needs."""
    imported = list_imports("POST", "/oauth/token", 401, b'{"client_id": "nobody"}')
    assert not imported & PAGES
