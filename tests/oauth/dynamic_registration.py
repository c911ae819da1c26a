"""Dynamic client registration in tests: registering a client and managing it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from chalicelib.core import settings
from chalicelib.oauth.tables import Client
from infra.local_gateway.response import Response
from tests.oauth.flow import (
    CALLBACK,
    PKCE,
    App,
    as_json,
)
from tests.support.harness import TestApp

REGISTER = "/oauth/register"


NO_TOKEN = (401, "invalid_token")


BAD_METADATA = (400, "invalid_client_metadata")


BAD_REDIRECT = (400, "invalid_redirect_uri")


def register(latchkey: TestApp, **described: object) -> dict[str, Any]:
    """Register a client and return its client information."""
    response = as_json(latchkey, REGISTER, {"redirect_uris": [CALLBACK], **described})
    assert response.status == 201, response.body
    assert response.header("Cache-Control") == "no-store"
    body: dict[str, Any] = response.json()
    latchkey.secrets += [
        body["registration_access_token"],
        *([body["client_secret"]] if "client_secret" in body else []),
    ]
    return body


def app_of(latchkey: TestApp, body: dict[str, Any]) -> App:
    """Return a registered client as an `App`."""
    client = Client.get(body["client_id"])
    return App(latchkey, client, body.get("client_secret"), body["redirect_uris"][0], PKCE)


def manage(latchkey: TestApp, method: str, client_id: str, token: str | None, body: object = None) -> Response:
    """Send a request to the client configuration endpoint (RFC 7592)."""
    raw = b"" if body is None else json.dumps(body).encode()
    return latchkey.call(method, f"{REGISTER}/{client_id}", token, body=raw)


@contextmanager
def configure_registration(registration: str) -> Iterator[None]:
    """Set who may register, by overriding the setting `registration` during a `with` block."""
    with settings.override(replace(settings.current(), registration=registration)):
        yield
