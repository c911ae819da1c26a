"""Client registration management (RFC 7592): a client manages only its own registration."""

import pytest

from chalicelib.oauth.registration import READ_ONLY_FIELDS
from tests.oauth.dynamic_registration import BAD_METADATA, BAD_REDIRECT, NO_TOKEN, app_of, manage, register
from tests.oauth.flow import (
    CALLBACK,
    CLIENT,
    CODE,
    DEVICE,
    REFRESH,
    App,
    User,
    error_of,
    is_accepted,
)
from tests.support.harness import TestApp


def test_client_information_is_returned_to_the_token_holder(latchkey: TestApp) -> None:
    """RFC 7592 §2.1, §3: the response contains all fields of the registration response except the secret, including the
    registration access token and the management URL.
    """
    body = register(latchkey, client_name="Photos", client_uri="https://photos.example")
    response = manage(latchkey, "GET", body["client_id"], body["registration_access_token"])
    assert (response.status, response.header("Cache-Control")) == (200, "no-store")
    hidden = {"client_secret", "client_secret_expires_at"}
    assert response.json() == {name: value for name, value in body.items() if name not in hidden}


def test_update_replaces_the_metadata(latchkey: TestApp, ada: User) -> None:
    """RFC 7592 §2.2: an update resets omitted fields to their default, and keeps id and secret."""
    body = register(latchkey, client_name="Photos", client_uri="https://photos.example", grant_types=[CODE, REFRESH])
    token, client_id = body["registration_access_token"], body["client_id"]
    other = "https://app.example.com/other"
    response = manage(
        latchkey, "PUT", client_id, token, {"client_id": client_id, "redirect_uris": [other], "scope": "read"}
    )
    changed = response.json()
    assert response.status == 200
    assert (changed["client_name"], changed["redirect_uris"], changed["scope"]) == (
        "Unnamed application",
        [other],
        "read",
    )
    assert (changed["grant_types"], "client_uri" in changed) == ([CODE], False)
    app = app_of(latchkey, changed | {"client_secret": body["client_secret"]})
    assert ada.open_authorization(app, redirect_uri=CALLBACK).status == 400
    assert ada.tokens(app, scope="read write")["scope"] == "read"


@pytest.mark.parametrize("described", [{}, {"grant_types": [DEVICE], "response_types": [], "redirect_uris": []}])
def test_update_accepts_the_returned_information(latchkey: TestApp, described: dict[str, object]) -> None:
    """RFC 7592 §2.2: a client may send back the fields of the response, except the read-only ones."""
    body = register(latchkey, **described)
    token, client_id = body["registration_access_token"], body["client_id"]
    shown = manage(latchkey, "GET", client_id, token).json()
    sent = {name: value for name, value in shown.items() if name not in READ_ONLY_FIELDS}
    assert manage(latchkey, "PUT", client_id, token, sent).json() == shown
    assert manage(latchkey, "PUT", client_id, token, sent | {"client_secret": body["client_secret"]}).json() == shown
    assert (
        manage(latchkey, "PUT", client_id, token, sent | dict.fromkeys((*READ_ONLY_FIELDS, "client_secret"))).json()
        == shown
    )


def test_invalid_update_is_rejected(latchkey: TestApp) -> None:
    """An update with invalid metadata, another client_id, or a change between public and confidential is rejected."""
    body = register(latchkey)
    token, client_id = body["registration_access_token"], body["client_id"]
    before = manage(latchkey, "GET", client_id, token).json()
    refused: tuple[tuple[dict[str, object], tuple[int, str]], ...] = (
        ({}, BAD_REDIRECT),
        ({"redirect_uris": ["http://evil.example/"]}, BAD_REDIRECT),
        ({"redirect_uris": [CALLBACK], "grant_types": [CLIENT]}, BAD_METADATA),
        ({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}, BAD_METADATA),
        ({"redirect_uris": [CALLBACK], "client_id": "app_" + "0" * 20}, BAD_METADATA),
        ({"redirect_uris": [CALLBACK], "client_id": None}, BAD_METADATA),
        ({"redirect_uris": [CALLBACK], "client_id": [client_id]}, BAD_METADATA),
        ({"redirect_uris": [CALLBACK], "client_secret": "another"}, BAD_METADATA),
        ({"redirect_uris": [CALLBACK], "client_secret": ""}, BAD_METADATA),
        ({"redirect_uris": [CALLBACK], "client_secret": 7}, BAD_METADATA),
        *(({"redirect_uris": [CALLBACK], name: body[name]}, BAD_METADATA) for name in READ_ONLY_FIELDS),
    )
    for described, error in refused:
        sent = {"client_id": client_id, **described}
        assert error_of(manage(latchkey, "PUT", client_id, token, sent)) == error, described
    without = {"redirect_uris": [CALLBACK]}
    assert error_of(manage(latchkey, "PUT", client_id, token, without)) == BAD_METADATA
    assert manage(latchkey, "GET", client_id, token).json() == before


def test_client_is_deleted_by_the_token_holder(latchkey: TestApp, ada: User) -> None:
    """RFC 7592 §2.3: a deleted client is unknown, and its grants are invalid at the next request."""
    body = register(latchkey)
    token, client_id = body["registration_access_token"], body["client_id"]
    access = ada.tokens(app_of(latchkey, body))["access_token"]
    assert is_accepted(latchkey, access)
    response = manage(latchkey, "DELETE", client_id, token)
    assert (response.status, response.body, response.header("Cache-Control")) == (204, b"", "no-store")
    assert not is_accepted(latchkey, access)
    for method in ("GET", "PUT", "DELETE"):
        assert error_of(manage(latchkey, method, client_id, token, {"redirect_uris": [CALLBACK]})) == NO_TOKEN


def test_registration_token_manages_only_its_client(latchkey: TestApp, app: App) -> None:
    """A management request with another secret or without one gets the same error as a request for an
    unknown client.
    """
    mine, other = register(latchkey), register(latchkey)
    key = latchkey.key(latchkey.account()).secret
    tokens = (None, "", "x", "é", other["registration_access_token"], mine["client_secret"], key, app.secret)
    for client_id in (mine["client_id"], app.id, "app_" + "0" * 20, "nobody", "https:"):
        latchkey.clock.forward(1)
        for token in (*tokens, *([] if client_id == mine["client_id"] else [mine["registration_access_token"]])):
            assert error_of(manage(latchkey, "GET", client_id, token)) == NO_TOKEN
        assert error_of(manage(latchkey, "DELETE", client_id, "x")) == NO_TOKEN
        assert error_of(manage(latchkey, "PUT", client_id, "x", {"redirect_uris": [CALLBACK]})) == NO_TOKEN
    assert manage(latchkey, "GET", mine["client_id"], mine["registration_access_token"]).status == 200


@pytest.mark.parametrize("name", ["client_secret", "client_id", "redirect_uris", "grant_types", "scope", "client_uri"])
def test_lone_surrogate_in_an_update_is_rejected(latchkey: TestApp, name: str) -> None:
    """A lone surrogate in a known field is a 400, and the client isn't changed."""
    made = latchkey.call("POST", "/oauth/register", json_body={"redirect_uris": [CALLBACK]}).json()
    bad = ["\ud800"] if name.endswith("s") else "\ud800"
    fields = {"client_id": made["client_id"], "redirect_uris": [CALLBACK], name: bad}
    target = f"/oauth/register/{made['client_id']}"
    response = latchkey.call("PUT", target, made["registration_access_token"], json_body=fields)
    assert response.status == 400
    assert latchkey.call("GET", target, made["registration_access_token"]).json()["redirect_uris"] == [CALLBACK]
