"""Ids of clients that no client can have: whoever sends one gets a refusal, and the request counts like any other."""

import base64
from urllib.parse import quote

import pytest

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import WireError
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


def asked_as(latchkey: TestApp, endpoint: str, client_id: str) -> tuple[int, str]:
    """Ask an endpoint as a client that authenticates by HTTP Basic; return the status and the error."""
    basic = base64.b64encode(f"{quote(client_id, safe='')}:x".encode()).decode()
    headers = {"Content-Type": FORM, "Authorization": f"Basic {basic}"}
    answer = latchkey.call("POST", f"/oauth/{endpoint}", body=b"grant_type=client_credentials&token=x", headers=headers)
    return answer.status, answer.json()["error"]


def counted(latchkey: TestApp) -> int:
    """Return how often the stranger was counted."""
    return latchkey.counters("ip_203.0.113.7", tiers.ANONYMOUS).get("used", 0)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("client_id", IDS.values(), ids=IDS)
def test_id_that_no_client_can_have_is_refused_and_counted(latchkey: TestApp, endpoint: str, client_id: str) -> None:
    """However long it is in characters or bytes, the answer is invalid_client, and one request is counted."""
    assert asked_as(latchkey, endpoint, client_id) == (401, "invalid_client")
    assert counted(latchkey) == 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_fault_while_a_client_is_authenticated_is_counted(latchkey: TestApp, app: App, endpoint: str) -> None:
    """Whatever goes wrong on our side, the request counts for where it comes from: no way past the limits is left."""
    send, before = dynamodb.sender(), counted(latchkey)

    def failing(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        if settings.current().table("clients") in body.get("RequestItems", {}):
            raise WireError("ValidationException", "something that nobody thought of", {})
        return send(operation, body)

    with dynamodb.sent_by(failing):
        status, error = asked_as(latchkey, endpoint, app.id)
    assert (status, error) == (500, "internal_error")
    assert counted(latchkey) == before + 1
