"""Registration and client management without HTTP: authorization, stored client and response."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core import secrets, settings
from chalicelib.oauth import client_metadata, clients, delete_client, registration
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.tables import Client
from tests.oauth.flow import CALLBACK, CODE, DEVICE, ISSUER, REFRESH
from tests.support.harness import START_MS, TestApp

BODY_MAX = 64 * 1024


def register_client(**described: object) -> dict[str, Any]:
    """Register a client."""
    return registration.register(json.dumps({"redirect_uris": [CALLBACK], **described}), ISSUER)


def replace_metadata(made: dict[str, Any], **described: object) -> dict[str, object]:
    """Update a client's metadata."""
    client, token = registration.authenticate(made["client_id"], f"Bearer {made['registration_access_token']}")
    body = {"client_id": made["client_id"], "redirect_uris": [CALLBACK], **described}
    return registration.replace(client, token, json.dumps(body), ISSUER)


@pytest.mark.parametrize(
    ("setting", "authorization", "may"),
    [
        *(("open", "", True), ("open", "Basic x", True), ("closed", "", False), ("closed", "Bearer closed", False)),
        *(("t", "Bearer t", True), ("t", "bearer t", True), ("t", "Bearer u", False), ("t", "Basic t", False)),
        *(("t", "", False), ("t", "Bearer", False), ("", "", False)),
        *(("x" * 1_000, "Bearer " + "x" * 1_000, True), ("x" * 1_001, "Bearer " + "x" * 1_001, False)),
        ("é", "Bearer é", False),
    ],
)
def test_registration_is_open_closed_or_needs_the_initial_token(
    latchkey: TestApp, setting: str, authorization: str, may: bool
) -> None:
    """The operator can open or close registration, or require an initial access token of at most a
    thousand characters.
    """
    kept = setting if setting in ("open", "closed") else secrets.digest(setting)
    with settings.override(replace(settings.current(), registration=kept)):
        if may:
            registration.check_may_register(authorization)
            return
        with pytest.raises(OAuthError) as raised:
            registration.check_may_register(authorization)
    assert (raised.value.error, raised.value.status) == ("invalid_token", 401)
    assert raised.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}


def test_client_is_kept_a_week_unless_it_is_approved(latchkey: TestApp) -> None:
    """A self-registered client belongs to no account, and is deleted after a week unless it is approved."""
    client = Client.get(register_client()["client_id"])
    assert client.dies_at == START_MS // 1000 + 7 * 86_400
    assert (client.registered_by, "account_id" in client.attribute_values) == ("self", False)


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_metadata_of_64_kilobytes_is_the_largest(latchkey: TestApp, more: int, fits: bool) -> None:
    """Metadata of more than 65,536 bytes is rejected."""
    body = json.dumps({"redirect_uris": [CALLBACK], "x": ""}).encode()
    body = body.replace(b'"x": ""', b'"x": "' + b"x" * (BODY_MAX + more - len(body)) + b'"')
    assert len(body) == BODY_MAX + more
    if fits:
        assert registration.register(body, ISSUER)["client_id"]
        return
    with pytest.raises(OAuthError, match="too long") as raised:
        registration.register(body, ISSUER)
    assert (raised.value.error, raised.value.status) == ("invalid_client_metadata", 400)


def test_client_is_managed_with_its_registration_token(latchkey: TestApp) -> None:
    """Another client's token, a client secret, and the token of a deleted client are rejected."""
    made, other = register_client(), register_client()
    client_id, bearer = made["client_id"], f"Bearer {made['registration_access_token']}"
    client, token = registration.authenticate(client_id, bearer)
    assert (client.client_id, token) == (client_id, made["registration_access_token"])
    accounts_own = clients.register(
        name="x",
        uris=[CALLBACK],
        auth_method="none",
        grant_types={CODE},
        wanted=set(),
        registered_by="account",
        account_id=latchkey.account().id,
    ).client
    for name, shown in (
        (other["client_id"], bearer),
        (client_id, f"Bearer {made['client_secret']}"),
        (client_id, "Bearer"),
        (client_id, bearer.replace("Bearer", "Basic")),
        (accounts_own.client_id, bearer),
        ("app_" + "0" * 20, bearer),
    ):
        with pytest.raises(OAuthError) as raised:
            registration.authenticate(name, shown)
        assert raised.value.error == "invalid_token"
    delete_client.delete(client)
    with pytest.raises(OAuthError):
        registration.authenticate(client_id, bearer)


def test_update_replaces_all_metadata(latchkey: TestApp) -> None:
    """RFC 7592 §2.2: an update resets omitted fields to their default, and keeps secret and creation time."""
    made = register_client(
        client_name="Photos", client_uri="https://photos.example/", scope="read", grant_types=[CODE, REFRESH]
    )
    body = replace_metadata(made, redirect_uris=["https://b.example/"], token_endpoint_auth_method="client_secret_post")
    stored = Client.get(made["client_id"])
    assert body == {
        "client_id": made["client_id"],
        "client_id_issued_at": START_MS // 1000,
        "client_name": "Unnamed application",
        "redirect_uris": ["https://b.example/"],
        "grant_types": [CODE],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
        "scope": "read write",
        "registration_client_uri": f"{ISSUER}/oauth/register/{made['client_id']}",
        "registration_access_token": made["registration_access_token"],
    }
    assert (stored.name, stored.redirect_uris, stored.grant_types) == (
        "Unnamed application",
        ["https://b.example/"],
        {CODE},
    )
    assert (stored.scopes, stored.auth_method) == ({"read", "write"}, "client_secret_post")
    assert "uri" not in stored.attribute_values
    assert clients.has_secret(stored, made["client_secret"])
    again = replace_metadata(
        made,
        client_name="Albums",
        client_uri="https://b.example/",
        scope="write",
        redirect_uris=[],
        grant_types=[DEVICE],
    )
    assert (again["client_name"], again["client_uri"], again["scope"]) == ("Albums", "https://b.example/", "write")
    assert (again["grant_types"], again["response_types"], again["redirect_uris"]) == ([DEVICE], [], [])


@pytest.mark.parametrize(
    ("described", "error"),
    [
        ({"client_id": "app_" + "0" * 20}, "invalid_client_metadata"),
        ({"client_id": None}, "invalid_client_metadata"),
        *(({name: "x"}, "invalid_client_metadata") for name in registration.READ_ONLY_FIELDS),
        ({"client_secret": "x"}, "invalid_client_metadata"),
        ({"client_secret": 7}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "none"}, "invalid_client_metadata"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://a.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"https://a.example/{number}" for number in range(11)]}, "invalid_redirect_uri"),
    ],
)
def test_invalid_update_is_rejected(latchkey: TestApp, described: dict[str, object], error: str) -> None:
    """An update must contain the client_id and no read-only field. An invalid update changes nothing."""
    made = register_client(client_name="Photos")
    with pytest.raises(OAuthError) as raised:
        replace_metadata(made, **described)
    assert (raised.value.error, raised.value.status) == (error, 400)
    assert Client.get(made["client_id"]).name == "Photos"


def test_read_only_fields_are_those_of_the_rfc() -> None:
    """The read-only fields are the four that RFC 7592 §2.2 names."""
    assert set(registration.READ_ONLY_FIELDS) == {
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    }


def test_update_may_repeat_the_client_secret(latchkey: TestApp) -> None:
    """RFC 7592 §2.2: an update may contain the client's own secret. An update of a public client with a secret is
    rejected.
    """
    made = register_client()
    assert replace_metadata(made, client_secret=made["client_secret"])["client_id"] == made["client_id"]
    public = register_client(token_endpoint_auth_method="none")
    assert replace_metadata(public, token_endpoint_auth_method="none", client_secret=None)
    for described in ({"token_endpoint_auth_method": "client_secret_basic"}, {"client_secret": ""}):
        with pytest.raises(OAuthError):
            replace_metadata(public, **{"token_endpoint_auth_method": "none", **described})


def test_update_of_a_concurrently_deleted_client_is_rejected(latchkey: TestApp) -> None:
    """An update of a deleted client gets the same error as an invalid token, and doesn't recreate the item."""
    for deleted_first in (False, True):
        made = register_client()
        client, token = registration.authenticate(made["client_id"], f"Bearer {made['registration_access_token']}")
        if deleted_first:
            Client(client.client_id).delete()
        else:
            delete_client.delete(Client.get(client.client_id))
        body = json.dumps({"client_id": client.client_id, "redirect_uris": [CALLBACK]})
        with pytest.raises(OAuthError) as raised:
            registration.replace(client, token, body, ISSUER)
        assert raised.value.error == "invalid_token"
        assert clients.find(client.client_id) is None


@pytest.mark.parametrize(
    ("length", "kept"), [(99, 99), (100, 100), (101, 0)], ids=["below", "as long as it may be", "too long"]
)
def test_long_client_uri_is_dropped_and_long_name_rejected(length: int, kept: int) -> None:
    """A client_uri of more than 100 characters is dropped, and a name of more than 100 characters rejected."""
    uri = "https://photos.example/".ljust(length, "x")
    read = client_metadata.parse({"client_uri": uri}, offered=(CODE,), by_default=(CODE,), auth_method="none")
    assert len(read.uri or "") == kept
    problem = client_metadata.name_problem("x" * length)
    assert problem == (None if kept else "must be at most 100 characters long")


def test_empty_metadata_has_the_defaults() -> None:
    """Empty metadata gets the default values that are passed to `parse`, and all scopes that OAuth can grant."""
    read = client_metadata.parse({}, offered=(CODE, REFRESH), by_default=(REFRESH,), auth_method="client_secret_post")
    assert read == client_metadata.Metadata(
        name=None,
        redirect_uris=[],
        auth_method="client_secret_post",
        grant_types=frozenset({REFRESH}),
        scopes=frozenset({"read", "write"}),
        uri=None,
    )


@pytest.mark.parametrize(
    "uri", ["http://photos.example/", "https://photos.example", "https://photos.example:8443/?x=1#y", " https://a.b/ "]
)
def test_client_uri_is_http_or_https(uri: str) -> None:
    """A client_uri uses http or https, and spaces around it are removed."""
    read = client_metadata.parse({"client_uri": uri}, offered=(CODE,), by_default=(CODE,), auth_method="none")
    assert read.uri == uri.strip()


@pytest.mark.parametrize(
    "uri", ["https://a.b:99999/", "https://a.b:x/", "https://a@b/", "https://a.b/ c", "https://a.b/é\u202e"]
)
def test_invalid_client_uri_has_an_error(uri: str) -> None:
    """Each kind of invalid client_uri raises an error."""
    with pytest.raises(OAuthError, match="client_uri must be an http or https URL"):
        client_metadata.parse({"client_uri": uri}, offered=(CODE,), by_default=(CODE,), auth_method="none")
