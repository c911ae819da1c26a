"""A cold start imports only the modules it needs. An API request imports neither the console nor OAuth nor botocore's
client.
"""

import json
import os
import subprocess
import sys

from tests.engine.fleet import STAGE
from tests.support.console_client import new_account
from tests.support.harness import TestApp

OF_PAGES = (
    *("argon2", "zxcvbn", "jinja2", "markupsafe", "chalicelib.oauth.token_endpoint"),
    *(
        "chalicelib.pages",
        "chalicelib.accounts.passwords",
        "chalicelib.accounts.sessions",
        "chalicelib.accounts.log_in",
    ),
    *("chalicelib.api.console.entry", "chalicelib.api.console.keys"),
)
HEAVY = (
    *("boto3", "botocore.client", "botocore.session", "botocore.credentials", "botocore.endpoint", "urllib3"),
    *("jsonschema", "requests", "aws_lambda_powertools"),
)
OF_MODELS = (
    *("pynamodb", "chalicelib.core.dynamodb.models", "chalicelib.accounts.tables", "chalicelib.credentials.tables"),
    *(
        "chalicelib.events.record",
        "chalicelib.webhooks.deliver",
        "chalicelib.core.ssrf_safe_fetch",
        "concurrent.futures.thread",
    ),
    *("chalicelib.api.idempotency", "chalicelib.idempotency", "chalicelib.core.sealed", "cryptography"),
)
OF_TOKENS = ("chalicelib.credentials.ended_client_check", "chalicelib.limits.ended_clients")
"""Only tokens have a client that can end, so a request with a key doesn't import the check."""
FUNCTION = """
import json, sys
from app import app
from chalicelib.core.dynamodb import client as dynamodb
from infra.local_gateway.gateway import Gateway
from tests.support.threaded_server import ENGINE_TIMEOUT_S
dynamodb.READ_TIMEOUT_S = ENGINE_TIMEOUT_S
gateway = Gateway(app, domain="api.example.com")
answers = []
for target in sys.argv[2:]:
    headers = {"Authorization": f"Bearer {sys.argv[1]}"} if target.startswith("/v1") else {}
    answers.append(gateway.handle("GET", target, headers.items()).status)
print(json.dumps([answers, list(sys.modules)]))
"""


def load_modules(url: str, secret: str, *targets: str) -> tuple[list[int], set[str]]:
    """Return a new process's responses to these requests, and the modules that it has loaded afterwards."""
    environment = os.environ | {"AWS_ENDPOINT_URL": url, "LATCHKEY_STAGE": STAGE}
    environment.pop("LATCHKEY_PUBLIC_URL", None)
    command = [sys.executable, "-c", FUNCTION, secret, *targets]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    responses, modules = json.loads(done.stdout.splitlines()[-1])
    return responses, set(modules)


def test_request_to_the_api_loads_nothing_of_the_console(latchkey: TestApp, url: str) -> None:
    """A new process that has served /v1 has loaded no templates, no password hashing and no botocore client."""
    key = latchkey.key(new_account())
    responses, modules = load_modules(url, key.secret, "/v1/users/me", "/v1/limits", "/v1/users", "/v1/keys", "/health")
    assert responses == [200, 200, 200, 200, 200]
    assert [name for name in (*OF_PAGES, *HEAVY) if name in modules] == []


def test_request_that_reads_nothing_loads_no_model(latchkey: TestApp, url: str) -> None:
    """A route without database access loads neither pynamodb nor the models of accounts, keys and webhooks."""
    key = latchkey.key(new_account())
    responses, modules = load_modules(url, key.secret, "/v1/limits", "/health")
    assert responses == [200, 200]
    assert [name for name in (*OF_PAGES, *HEAVY, *OF_MODELS, *OF_TOKENS) if name in modules] == []


def test_cold_start_creates_no_unused_body_class(latchkey: TestApp, url: str) -> None:
    """The first request to a view imports its module and creates its body and query classes, so other views' classes
    don't exist yet.
    """
    program = FUNCTION + (
        "\nfrom chalicelib.api.schema.body import Body, Query"
        "\nprint(sorted(kind.__name__ for base in (Body, Query) for kind in base.__subclasses__()))"
    )
    environment = os.environ | {"AWS_ENDPOINT_URL": url, "LATCHKEY_STAGE": STAGE}
    environment.pop("LATCHKEY_PUBLIC_URL", None)
    command = [sys.executable, "-c", program, latchkey.key(new_account()).secret, "/v1/limits", "/health"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['Empty']"


def test_verification_loads_neither_pynamodb_nor_a_botocore_client(latchkey: TestApp, url: str) -> None:
    """The authorizer is a separate function, whose cold start imports neither pynamodb nor a botocore client."""
    program = (
        "import sys\n"
        "from chalicelib.api.authorizer import authorizer\n"
        "call = {'type': 'TOKEN', 'methodArn': 'arn:aws:execute-api:r:1:a/api/GET/v1',"
        " 'authorizationToken': 'Bearer ' + sys.argv[1]}\n"
        "effect = authorizer(call, None)['policyDocument']['Statement'][0]['Effect']\n"
        "print(effect, *sys.modules)"
    )
    environment = os.environ | {"AWS_ENDPOINT_URL": url, "LATCHKEY_STAGE": STAGE}
    command = [sys.executable, "-c", program, latchkey.key(new_account()).secret]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    effect, *modules = done.stdout.splitlines()[-1].split()
    assert effect == "Allow"
    assert [name for name in (*OF_PAGES, *HEAVY, "pynamodb") if name in modules] == []


def test_page_loads_what_it_needs(latchkey: TestApp, url: str) -> None:
    """A process that renders a page has loaded the modules that the other tests exclude, so their names are correct."""
    responses, modules = load_modules(url, "", "/login", "/signup")
    assert responses == [200, 200]
    assert {"jinja2", "chalicelib.pages", "argon2", "chalicelib.api.console.entry"} <= modules
