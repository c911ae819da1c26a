"""The API Gateway authorizer returns a policy for all routes, and imports only what verification needs."""

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


def test_valid_key_is_allowed_on_every_route(latchkey: TestApp) -> None:
    """The policy of a valid key allows every route, because API Gateway caches it for all routes."""
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
"""Names in `$context.authorizer` that API Gateway reserves: it drops an authorizer's values of these names."""


def test_context_has_no_reserved_name(latchkey: TestApp) -> None:
    """Neither an Allow nor a Deny has a context field whose name API Gateway reserves."""
    allowed = decide(f"Bearer {latchkey.key(latchkey.account()).secret}")["context"]
    denied = decide("Bearer nonsense")["context"]
    assert RESERVED & (allowed.keys() | denied.keys()) == set()


@pytest.mark.parametrize(
    ("token", "error"),
    [("Bearer nonsense", "invalid_api_key"), ("Basic abc", "missing_api_key"), ("", "missing_api_key")],
)
def test_invalid_key_is_denied_with_error_and_message(latchkey: TestApp, token: str, error: str) -> None:
    """A Deny has error and message in its context, from which API Gateway builds the response."""
    policy = decide(token)
    assert policy["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert policy["context"]["refusal"] == error
    assert policy["context"].keys() == {"refusal", "explanation"}


def test_expired_key_is_denied_as_expired(latchkey: TestApp) -> None:
    """An expired key is denied as `token_expired`, not as invalid."""
    secret = latchkey.key(latchkey.account(), expires_in_s=60).secret
    latchkey.clock.forward(60)
    assert decide(f"Bearer {secret}")["context"] == {
        "refusal": "token_expired",
        "explanation": "The access token has expired.",
    }


def test_identity_expression_accepts_bearer_credentials_only() -> None:
    """API Gateway calls the authorizer only for a Bearer credential, in any case, and rejects all other requests."""
    for good in ("Bearer x", "bearer x", "  BEARER   x  ", f"Bearer {'x' * 7000}"):
        assert re.match(IDENTITY, good), good
    for bad in ("", "Bearer", "Bearer ", "Basic x", "xBearer y", "Bearerx"):
        assert not re.match(IDENTITY, bad), bad


def test_authorizer_imports_nothing_heavy() -> None:
    """The authorizer doesn't import pynamodb, boto3, argon2 or jinja2, which would slow its cold start."""
    program = (
        "import sys, chalicelib.api.authorizer\n"
        "heavy = ('pynamodb', 'boto3', 'argon2', 'jinja2', 'botocore.client')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_secret_of_another_brand_makes_no_database_call(latchkey: TestApp) -> None:
    """A secret with another brand's prefix is denied without a database call."""
    body = "xy_test_" + "0" * 30
    with telemetry.record_calls() as calls:
        assert decide(f"Bearer {body}{secrets.checksum(body)}")["context"]["refusal"] == "invalid_api_key"
    assert calls.made == []
