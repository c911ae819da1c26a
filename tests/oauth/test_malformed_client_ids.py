"""Malformed client ids: the request is rejected, and counts against the rate limit like any other."""

import base64
from urllib.parse import quote

import pytest

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.limits import tiers
from tests.oauth.flow import App
from tests.support.console_client import FORM
from tests.support.harness import TestApp

ENDPOINTS = ("token", "revoke", "introspect", "device_authorization")
IDS = {
    "over 2,048 bytes": "https://" + "€" * 681,
    "over 1,024 bytes": "https://client.example/" + "€" * 400,
    "over 1,024 characters": "https://client.example/" + "x" * 2_100,
    "slashes only": "https://",
    "no character": "https://client.example/\x00",
}


def authenticate_as(latchkey: TestApp, endpoint: str, client_id: str) -> tuple[int, str]:
    """Send a request with HTTP Basic and return the status and the error."""
    basic = base64.b64encode(f"{quote(client_id, safe='')}:x".encode()).decode()
    headers = {"Content-Type": FORM, "Authorization": f"Basic {basic}"}
    response = latchkey.call(
        "POST", f"/oauth/{endpoint}", body=b"grant_type=client_credentials&token=x", headers=headers
    )
    return response.status, response.json()["error"]


def count_requests(latchkey: TestApp) -> int:
    """Return how many requests were counted for the anonymous caller."""
    return latchkey.counters("ip_203.0.113.7", tiers.ANONYMOUS).get("used", 0)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("client_id", IDS.values(), ids=IDS)
def test_malformed_client_id_is_rejected_and_counted(latchkey: TestApp, endpoint: str, client_id: str) -> None:
    """A client id that is malformed, or too long in characters or bytes, gets invalid_client, and the request counts
    once.
    """
    assert authenticate_as(latchkey, endpoint, client_id) == (401, "invalid_client")
    assert count_requests(latchkey) == 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_internal_error_during_authentication_is_counted(latchkey: TestApp, app: App, endpoint: str) -> None:
    """A request that fails with an internal error is counted by IP address, so that errors can't bypass the limits."""
    send, before = dynamodb.sender(), count_requests(latchkey)

    def failing(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        if settings.current().table("clients") in body.get("RequestItems", {}):
            raise DynamoDBError("ValidationException", "something that nobody thought of", {})
        return send(operation, body)

    with dynamodb.use_sender(failing):
        status, error = authenticate_as(latchkey, endpoint, app.id)
    assert (status, error) == (500, "internal_error")
    assert count_requests(latchkey) == before + 1
