"""The registration response contains the metadata as stored. Each requested value is stored, rejected, or replaced by
the value in the response.
"""

import json
from typing import Any

import pytest

from chalicelib.oauth import clients, registration
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.tables import Client
from tests.oauth.flow import CALLBACK, CODE, DEVICE, ISSUER, LOOPBACK, REFRESH
from tests.support.harness import TestApp

OTHER = "https://app.example.com/other"
ASKED: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "all that there is": (
        {
            "client_name": "Photos",
            "redirect_uris": [CALLBACK, LOOPBACK],
            "grant_types": [CODE, REFRESH, DEVICE],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_post",
            "scope": "read",
            "client_uri": "https://photos.example/",
        },
        {},
    ),
    "longest name": ({"client_name": "x" * 100}, {}),
    "spaces around a name": ({"client_name": "  Photos "}, {"client_name": "Photos"}),
    "no name": ({"client_name": ""}, {"client_name": registration.UNNAMED}),
    "redirect twice": ({"redirect_uris": [CALLBACK, OTHER, CALLBACK]}, {"redirect_uris": [CALLBACK, OTHER]}),
    "other grant types": ({"grant_types": [CODE, "password"]}, {"grant_types": [CODE]}),
    "other response types": ({"response_types": ["code", "token"]}, {"response_types": ["code"]}),
    "other scopes": ({"scope": "read email admin"}, {"scope": "read"}),
    "only other scopes": ({"scope": "tools"}, {"scope": "read write"}),
    "scopes in another order": ({"scope": "write read read"}, {"scope": "read write"}),
    "long home page": ({"client_uri": "https://photos.example/".ljust(101, "x")}, {"client_uri": None}),
    "what isn't read": ({"contacts": ["ada@example.com"], "logo_uri": "x"}, {"contacts": None, "logo_uri": None}),
}
"""The requested metadata, and the values that the server changes; None if it drops the field."""


def describe_stored(client: Client) -> dict[str, Any]:
    """Return the stored metadata of a client by its RFC 7591 field names."""
    return {
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": sorted(client.grant_types),
        "token_endpoint_auth_method": client.auth_method,
        "scope": " ".join(sorted(client.scopes)),
        "client_uri": client.uri,
    }


@pytest.mark.parametrize("what", ASKED)
def test_response_contains_all_values_that_the_server_changed(latchkey: TestApp, what: str) -> None:
    """RFC 7591 §3.2.1: the response contains the registered metadata, which may differ from the requested metadata."""
    asked, changed = ASKED[what]
    body = registration.register(json.dumps({"redirect_uris": [CALLBACK], **asked}), ISSUER)
    for name, value in {**asked, **changed}.items():
        assert body.get(name) == value, name
    kept = describe_stored(Client.get(str(body["client_id"])))
    returned = {name: body.get(name) for name in kept} | {"grant_types": sorted(map(str, body["grant_types"]))}  # type: ignore[call-overload]
    assert returned == kept


@pytest.mark.parametrize(
    "asked",
    [
        {"client_name": "x" * 101},
        {"client_name": "🗝" * 101},
        {"redirect_uris": [f"https://app.example.com/{number}" for number in range(11)]},
        {"redirect_uris": ["https://app.example.com/".ljust(2_001, "x")]},
        {"redirect_uris": [CALLBACK, "http://app.example.com/"]},
        {"grant_types": ["password"]},
        {"response_types": ["token"]},
        {"token_endpoint_auth_method": "private_key_jwt"},
    ],
    ids=str,
)
def test_unstorable_value_is_an_error(latchkey: TestApp, asked: dict[str, object]) -> None:
    """A registration with a value that can't be stored is rejected, instead of shortening or dropping the value."""
    with pytest.raises(OAuthError):
        registration.register(json.dumps({"redirect_uris": [CALLBACK], **asked}), ISSUER)
    assert list(Client.scan()) == []


def test_default_of_each_field_is_in_the_response(latchkey: TestApp) -> None:
    """RFC 7591 §3.2.1: the response contains the default of every field that the request omits."""
    body = registration.register(json.dumps({"redirect_uris": [CALLBACK]}), ISSUER)
    assert (body["client_name"], body["grant_types"], body["scope"]) == (registration.UNNAMED, [CODE], "read write")
    assert body["token_endpoint_auth_method"] == clients.CONFIDENTIAL_METHODS[0]
