"""The gateway's authorizer: a policy for every route, and only what verifying needs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.api.authorizer import IDENTITY, authorizer
from chalicelib.core import secrets, telemetry
from infra.local_gateway.lambda_context import LambdaContext
from tests.support.harness import TestApp

ROOT = Path(__file__).parents[2]


def decide(token: str) -> dict[str, Any]:
    """Return the policy for one Authorization header."""
    call = {
        "type": "TOKEN",
        "authorizationToken": token,
        "methodArn": "arn:aws:execute-api:us-east-1:0:api/api/GET/v1/users",
    }
    context: Any = LambdaContext("test", "r-1")
    policy: dict[str, Any] = authorizer(call, context)
    return policy


def test_good_key_is_allowed_everywhere(latchkey: TestApp) -> None:
    """The gateway caches the policy for all routes, so it must name all of them."""
    issued = latchkey.key(latchkey.account())
    policy = decide(f"Bearer {issued.secret}")
    assert policy["policyDocument"]["Statement"] == [
        {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"}
    ]
    assert policy["principalId"] == issued.key.account_id
    assert policy["context"]["credential_id"] == issued.key.id


RESERVED = {
    "claims", "error", "integrationLatency", "integrationStatus", "latency", "principalId", "requestId", "status",
}  # fmt: skip
"""Names that `$context.authorizer` has of API Gateway's own: what is put there under them is lost."""


def test_no_name_in_the_context_is_the_gateways_own(latchkey: TestApp) -> None:
    """Neither where a key is good nor where it is refused."""
    allowed = decide(f"Bearer {latchkey.key(latchkey.account()).secret}")["context"]
    denied = decide("Bearer nonsense")["context"]
    assert RESERVED & (allowed.keys() | denied.keys()) == set()


@pytest.mark.parametrize(
    ("token", "error"),
    [("Bearer nonsense", "invalid_api_key"), ("Basic abc", "missing_api_key"), ("", "missing_api_key")],
)
def test_bad_key_is_denied_with_what_to_show(latchkey: TestApp, token: str, error: str) -> None:
    """Error and message travel in the context, from where the gateway takes them."""
    policy = decide(token)
    assert policy["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert policy["context"]["refusal"] == error
    assert policy["context"].keys() == {"refusal", "explanation"}


def test_expired_key_is_denied_as_expired(latchkey: TestApp) -> None:
    """The caller learns that a new key is needed, not that it was mistyped."""
    secret = latchkey.key(latchkey.account(), expires_in_s=60).secret
    latchkey.clock.forward(60)
    assert decide(f"Bearer {secret}")["context"] == {
        "refusal": "token_expired",
        "explanation": "The access token has expired.",
    }


def test_gateway_asks_for_bearer_in_any_case_with_something_behind_it() -> None:
    """Everything else is refused by the gateway without a function running."""
    for good in ("Bearer x", "bearer x", "  BEARER   x  ", f"Bearer {'x' * 7000}"):
        assert re.match(IDENTITY, good), good
    for bad in ("", "Bearer", "Bearer ", "Basic x", "xBearer y", "Bearerx"):
        assert not re.match(IDENTITY, bad), bad


def test_authorizer_imports_nothing_heavy() -> None:
    """A cold start pays for verifying and nothing else: no pynamodb, no pages, no password hashing, no boto3."""
    program = (
        "import sys, chalicelib.api.authorizer\n"
        "heavy = ('pynamodb', 'boto3', 'argon2', 'jinja2', 'botocore.client')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_secret_of_another_deployment_asks_no_database(latchkey: TestApp) -> None:
    """A key of another brand is refused by its first letters."""
    body = "xy_test_" + "0" * 30
    with telemetry.record_calls() as calls:
        assert decide(f"Bearer {body}{secrets.checksum(body)}")["context"]["refusal"] == "invalid_api_key"
    assert calls.made == []
