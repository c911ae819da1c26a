"""Test data for the benchmarks of Latchkey: tables, accounts with keys, and API Gateway events."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chalicelib.accounts.create import create_account
from chalicelib.api.authorizer import authorizer
from chalicelib.core import clock, randomness, telemetry
from chalicelib.credentials.issue import new_key, store_key
from chalicelib.limits.tiers import Tier
from infra import data
from infra.local_gateway.lambda_context import LambdaContext

Event = dict[str, Any]

SUBJECTS = 50
"""The number of accounts. It is large enough that none reaches its limits, and small enough for the local caches."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An account with one API key, and its owner."""

    account_id: str
    user_id: str
    secret: str = field(repr=False)


@contextmanager
def ready() -> Iterator[Callable[[], int]]:
    """Create missing tables, and yield a function that returns the number of database calls in the `with` block.

    Log lines are formatted as in production, because this is part of a request's cost, and then discarded.
    """
    with open(os.devnull, "w") as discarded:  # noqa: PTH123 - a device, no path of ours
        telemetry.write_to(discarded)
        data.create_missing_tables()
        with telemetry.record_calls() as calls:
            yield lambda: len(calls.made)


def callers(tier: Tier, count: int = SUBJECTS) -> list[Caller]:
    """Create accounts of a tier, each with a key that has all scopes."""
    return [_caller(tier) for _ in range(count)]


def _caller(tier: Tier) -> Caller:
    new = create_account(email=f"{randomness.base62(12).lower()}@example.com", name="Bench", tier=tier)
    account_id, user_id, wanted = new.account.id, new.user.id, ["read", "write", "keys"]
    issued = new_key(account_id, user_id, name="Bench", wanted=wanted, expires_at=None, made_by=None)
    store_key(issued)
    return Caller(account_id, user_id, issued.secret)


def authorizer_event(secret: str) -> Event:
    """Return the event that API Gateway sends to the authorizer for a secret."""
    arn = "arn:aws:execute-api:us-east-1:000000000000:abcdef1234/api/GET/v1/limits"
    return {"type": "TOKEN", "authorizationToken": f"Bearer {secret}", "methodArn": arn}


def limits_event(secret: str) -> Event:
    """Return API Gateway's event for an authorized `GET /v1/limits`, with the authorizer's context."""
    context: Any = LambdaContext("latchkey-bench", str(uuid.uuid4()))
    policy: dict[str, Any] = authorizer(authorizer_event(secret), context)
    event = proxy_event("/v1/limits", secret)
    event["requestContext"]["authorizer"] = {**policy["context"], "principalId": policy["principalId"]}
    return event


def proxy_event(path: str, secret: str) -> Event:
    """Return API Gateway's event for a GET request, with the headers and the context that API Gateway adds."""
    headers = {
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Authorization": f"Bearer {secret}",
        "Host": "abcdef1234.execute-api.us-east-1.amazonaws.com",
        "User-Agent": "python-requests/2.34",
        "X-Amzn-Trace-Id": "Root=1-61c05540-0123456789abcdef01234567",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    return {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": "GET",
            "path": f"/api{path}",
            "stage": "api",
            "domainName": "abcdef1234.execute-api.us-east-1.amazonaws.com",
            "requestId": str(uuid.uuid4()),
            "requestTimeEpoch": clock.now_ms(),
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "python-requests/2.34"},
            "protocol": "HTTP/1.1",
        },
        "body": None,
        "isBase64Encoded": False,
    }
