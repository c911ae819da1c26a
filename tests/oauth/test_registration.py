"""Dynamic client registration (RFC 7591) and its management (RFC 7592)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core import secrets, settings
from chalicelib.limits.tiers import REGISTRATIONS
from chalicelib.oauth.registration import READ_ONLY_FIELDS
from chalicelib.oauth.tables import Client
from infra.standin import Answer
from tests.oauth.flow import (
    CALLBACK,
    CLIENT,
    CODE,
    DEVICE,
    ISSUER,
    LOOPBACK,
    PKCE,
    REFRESH,
    App,
    User,
    as_json,
    error_of,
    is_accepted,
    register_client,
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
    """Return a registered client as a test client."""
    client = Client.get(body["client_id"])
    return App(latchkey, client, body.get("client_secret"), body["redirect_uris"][0], PKCE)


def manage(latchkey: TestApp, method: str, client_id: str, token: str | None, body: object = None) -> Answer:
    """Send a request of RFC 7592."""
    raw = b"" if body is None else json.dumps(body).encode()
    return latchkey.call(method, f"{REGISTER}/{client_id}", token, body=raw)


@contextmanager
def setting(registration: str) -> Iterator[None]:
    """Have the operator choose who may register."""
    with settings.in_use(replace(settings.current(), registration=registration)):
        yield


def test_client_with_a_redirect_uri_only_gets_the_defaults(latchkey: TestApp) -> None:
    """RFC 7591 §2: code flow, HTTP Basic; a secret, and a registration access token."""
    body = register(latchkey)
    now_s = latchkey.clock.now_ms // 1000
    assert body == {
        "client_id": body["client_id"],
        "client_id_issued_at": now_s,
        "client_name": "Unnamed application",
        "redirect_uris": [CALLBACK],
        "grant_types": [CODE],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "read write",
        "registration_client_uri": f"{ISSUER}/oauth/register/{body['client_id']}",
        "registration_access_token": body["registration_access_token"],
        "client_secret": body["client_secret"],
        "client_secret_expires_at": 0,
    }
    assert (secrets.kind_of(body["client_secret"]), secrets.kind_of(body["registration_access_token"])) == ("cs", "ra")


def test_public_client_gets_no_secret(latchkey: TestApp, ada: User) -> None:
    """It completes the flow, as unverified."""
    body = register(
        latchkey,
        redirect_uris=[LOOPBACK],
        token_endpoint_auth_method="none",
        grant_types=[CODE, REFRESH],
        client_name="Terminal",
        client_uri="https://terminal.example",
        scope="read openid",
        software_id="unheard of",
    )
    assert not {"client_secret", "client_secret_expires_at", "software_id"} & body.keys()
    assert (body["scope"], body["client_name"], body["client_uri"]) == ("read", "Terminal", "https://terminal.example")
    app = app_of(latchkey, body)
    page = ada.open_authorization(app, scope="read write")
    assert "Terminal" in page.text
    assert "Unverified" in page.text
    tokens = ada.tokens(app, scope="read write")
    assert (tokens["scope"], is_accepted(latchkey, tokens["access_token"])) == ("read", True)
    assert "Unverified" in ada.open("/settings/connected").text


def test_confidential_client_completes_the_flow(latchkey: TestApp, ada: User) -> None:
    """Its secret works, and its consent is remembered."""
    app = app_of(latchkey, register(latchkey, grant_types=[CODE, REFRESH, DEVICE], client_name="Server"))
    _, refresh = ada.grant(app)
    assert app.refresh(refresh).status == 200
    assert app.post("/oauth/device_authorization").status == 200
    assert ada.open_authorization(app).status == 303


def test_self_registered_client_gets_no_client_token(latchkey: TestApp) -> None:
    """It has no account to count on, so client_credentials can be neither registered nor used."""
    response = as_json(latchkey, REGISTER, {"redirect_uris": [CALLBACK], "grant_types": [CLIENT]})
    assert error_of(response) == BAD_METADATA
    assert error_of(app_of(latchkey, register(latchkey)).ask(CLIENT)) == (400, "unauthorized_client")


def test_device_client_needs_no_redirect_uri(latchkey: TestApp) -> None:
    """RFC 7591 §2.1: without the code flow it has no redirect URI and no response type."""
    response = as_json(
        latchkey, REGISTER, {"grant_types": [DEVICE], "response_types": [], "token_endpoint_auth_method": "none"}
    )
    assert (response.status, response.json()["response_types"], response.json()["redirect_uris"]) == (201, [], [])


BAD_URIS: tuple[object, ...] = (
    [],
    ["https://app.example.com/cb#fragment"],
    ["http://app.example.com/cb"],
    ["http://127.0.0.1.evil.com/cb"],
    ["http://localhost.evil.com/cb"],
    ["http://127.1/cb"],
    ["https://user:password@app.example.com/cb"],
    ["javascript:alert(1)"],
    ["data:text/html,x"],
    ["localhost:3000/cb"],
    ["mailto:ada@example.com"],
    [CALLBACK, "http://evil.example/"],
    [f"https://app.example.com/{number}" for number in range(11)],
    ["https://app.example.com/" + "x" * 2_000],
    [7],
    [None],
    [[CALLBACK]],
    [CALLBACK, {}],
    [""],
    ["\ud800"],
    CALLBACK,
    {"0": CALLBACK},
    7,
    None,
)


def test_bad_redirect_uri_is_rejected(latchkey: TestApp) -> None:
    """RFC 7591 §3.2.2: invalid_redirect_uri, whatever is wrong with it."""
    for uris in BAD_URIS:
        latchkey.clock.forward(1)
        assert error_of(as_json(latchkey, REGISTER, {"redirect_uris": uris})) == BAD_REDIRECT, uris
    assert list(Client.scan()) == []


BAD_FIELDS: tuple[dict[str, object], ...] = (
    {"grant_types": []},
    {"grant_types": ["implicit"]},
    {"grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer", "password", CLIENT]},
    {"grant_types": CODE},
    {"grant_types": [7]},
    {"grant_types": [[CODE]]},
    {"grant_types": [CODE, None]},
    {"grant_types": {CODE: True}},
    {"response_types": ["token"]},
    {"response_types": ["none", "id_token"]},
    {"response_types": "code"},
    {"response_types": [None]},
    {"token_endpoint_auth_method": "private_key_jwt"},
    {"token_endpoint_auth_method": ""},
    {"token_endpoint_auth_method": ["none"]},
    {"client_name": 7},
    {"client_name": ["Photos"]},
    {"client_name": "two\nlines"},
    {"client_name": "turned \u202e round"},
    {"client_name": "\ud800"},
    {"client_name": "\u200b\u2060"},
    {"client_name": "a\u2067b"},
    {"client_uri": 7},
    {"client_uri": "https://a\nb"},
    {"client_uri": "javascript:alert(1)"},
    {"client_uri": "javascript://app.example.com/%0aalert(1)"},
    {"client_uri": "data:text/html,x"},
    {"client_uri": "ftp://app.example.com/"},
    {"client_uri": "app.example.com"},
    {"client_uri": "//app.example.com/"},
    {"client_uri": "https:"},
    {"client_uri": "https://"},
    {"client_uri": "https://[/"},
    {"client_uri": "https://user:password@app.example.com/"},
    {"client_uri": 'https://app.example.com/"><script>'},
    {"client_uri": "javascript:" + "x" * 200},
    {"scope": 7},
    {"scope": ["read"]},
    {"scope": "read\twrite\x00"},
    {"client_name": "x" * 70_000},
)


def test_bad_metadata_is_rejected(latchkey: TestApp) -> None:
    """RFC 7591 §3.2.2: invalid_client_metadata, and no field of the wrong type is accepted."""
    for fields in BAD_FIELDS:
        latchkey.clock.forward(1)
        assert error_of(as_json(latchkey, REGISTER, {"redirect_uris": [CALLBACK], **fields})) == BAD_METADATA, fields
    for raw in (b"", b"{", b"[]", b'"x"', b"7", b"null", b"[" * 100_000, b"\xff", b'{"redirect_uris": ' + b"9" * 5_000):
        assert (
            error_of(latchkey.call("POST", REGISTER, body=raw, headers={"Content-Type": "application/json"}))
            == BAD_METADATA
        )
    assert list(Client.scan()) == []


PRIVATE = (
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "vscode://vscode.github/cb",
    "warp://mcp/cb",
    "com.example.app:/cb",
)


@pytest.mark.parametrize("uris", [*([uri] for uri in PRIVATE), [*PRIVATE, LOOPBACK, CALLBACK]])
def test_private_use_scheme_can_be_registered(latchkey: TestApp, ada: User, uris: list[str]) -> None:
    """Alone or with others; consent is asked for each time, since other apps can claim it."""
    body = register(latchkey, redirect_uris=uris, token_endpoint_auth_method="none")
    assert body["redirect_uris"] == uris
    app = app_of(latchkey, body)
    for _ in range(2):
        page = ada.open_authorization(app)
        assert page.status == 200
        assert ada.decide(page).location.startswith(f"{uris[0]}?code=")


NARROWED: tuple[tuple[dict[str, object], list[str], list[str]], ...] = (
    ({"grant_types": [CODE, "implicit", "password"]}, [CODE], ["code"]),
    ({"grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer", REFRESH, CODE]}, [CODE, REFRESH], ["code"]),
    ({"grant_types": [CODE, CLIENT]}, [CODE], ["code"]),
    ({"grant_types": [CODE, CODE]}, [CODE], ["code"]),
    ({"response_types": ["code", "none"]}, [CODE], ["code"]),
    ({"response_types": ["code id_token", "code", "token"]}, [CODE], ["code"]),
    ({"response_types": []}, [CODE], ["code"]),
    ({"grant_types": [DEVICE, "implicit"], "response_types": ["token"]}, [DEVICE], []),
    ({"grant_types": [DEVICE], "response_types": ["code"]}, [DEVICE], []),
)


def test_unsupported_values_are_dropped_and_the_response_says_so(latchkey: TestApp) -> None:
    """RFC 7591 §3.2.1: the server may replace requested metadata."""
    for described, grant_types, response_types in NARROWED:
        latchkey.clock.forward(1)
        body = register(latchkey, **described)
        assert (body["grant_types"], body["response_types"]) == (grant_types, response_types), described
        assert set(Client.get(body["client_id"]).grant_types) == set(grant_types)


@pytest.mark.parametrize(
    "name",
    ["client_name", "client_uri", "grant_types", "response_types", "scope", "token_endpoint_auth_method", "logo_uri"],
)
def test_null_is_absent(latchkey: TestApp, name: str) -> None:
    """RFC 7591 §2."""
    body = register(latchkey, **{name: None})
    without = register(latchkey)
    own = ("client_id", "client_secret", "registration_access_token", "registration_client_uri")
    assert {**body, **dict.fromkeys(own)} == {**without, **dict.fromkeys(own)}


def test_null_redirect_uris_are_absent(latchkey: TestApp) -> None:
    """A client of the device flow needs none; one of the code flow does."""
    assert register(latchkey, redirect_uris=None, grant_types=[DEVICE])["redirect_uris"] == []
    assert error_of(as_json(latchkey, REGISTER, {"redirect_uris": None})) == BAD_REDIRECT


def test_unknown_fields_are_ignored(latchkey: TestApp) -> None:
    """They are neither stored nor returned."""
    unread = {
        "logo_uri": "javascript:alert(1)",
        "tos_uri": 7,
        "policy_uri": ["x"],
        "contacts": "nobody",
        "jwks_uri": {},
        "jwks": [],
        "software_statement": False,
        "client_name#de": "\u202e",
        "x": float("nan"),
    }
    assert not unread.keys() & register(latchkey, **unread).keys()


def test_all_advertised_values_can_be_registered(latchkey: TestApp) -> None:
    """A client that requests everything gets all except client_credentials."""
    metadata = latchkey.call("GET", "/.well-known/oauth-authorization-server").json()
    advertised = metadata["grant_types_supported"]
    assert set(register(latchkey, grant_types=advertised)["grant_types"]) == set(advertised) - {CLIENT}
    for grant_type in set(advertised) - {CLIENT}:
        latchkey.clock.forward(1)
        assert register(latchkey, grant_types=[grant_type])["grant_types"] == [grant_type]
    for method in metadata["token_endpoint_auth_methods_supported"]:
        latchkey.clock.forward(1)
        assert register(latchkey, token_endpoint_auth_method=method)["token_endpoint_auth_method"] == method
    every = " ".join(metadata["scopes_supported"])
    assert register(latchkey, scope=every)["scope"] == every
    assert register(latchkey, response_types=metadata["response_types_supported"])["response_types"] == ["code"]


def test_error_code_does_not_depend_on_the_message(latchkey: TestApp) -> None:
    """A bad name that mentions redirect URIs is bad metadata; too many redirect URIs are bad redirect URIs."""
    assert (
        error_of(as_json(latchkey, REGISTER, {"redirect_uris": [CALLBACK], "client_name": "redirect URI\n"}))
        == BAD_METADATA
    )
    many = [f"https://app.example.com/{number}" for number in range(11)]
    assert error_of(as_json(latchkey, REGISTER, {"redirect_uris": many})) == BAD_REDIRECT


def test_client_uri_is_kept_whole_or_dropped(latchkey: TestApp) -> None:
    """A cut one would lead elsewhere."""
    longest = "https://app.example.com/".ljust(100, "x")
    assert register(latchkey, client_uri=longest)["client_uri"] == longest
    for uri in (longest + "x", "https://app.example.com/".ljust(168, "x")):
        assert "client_uri" not in register(latchkey, client_uri=uri)
    assert "client_uri" not in register(latchkey, client_uri="")
    assert register(latchkey, client_uri="http://app.example.com/a?b#c")["client_uri"] == "http://app.example.com/a?b#c"


def test_name_is_registered_whole_or_rejected(latchkey: TestApp) -> None:
    """A cut name could be another app's; for an empty one the response has the default name."""
    assert register(latchkey, client_name=" " + "x" * 100)["client_name"] == "x" * 100
    assert (
        error_of(as_json(latchkey, REGISTER, {"redirect_uris": [CALLBACK], "client_name": "x" * 101})) == BAD_METADATA
    )
    body = register(latchkey, client_name="  ")
    assert body["client_name"] == "Unnamed application"
    longer = {"client_id": body["client_id"], "redirect_uris": [CALLBACK], "client_name": "x" * 101}
    put = manage(latchkey, "PUT", body["client_id"], body["registration_access_token"], longer)
    assert error_of(put) == BAD_METADATA
    assert Client.get(body["client_id"]).name == "Unnamed application"


def test_registration_can_be_closed(latchkey: TestApp) -> None:
    """Then no token is accepted, and the metadata doesn't name the endpoint."""
    with setting("closed"):
        assert error_of(as_json(latchkey, REGISTER, {"redirect_uris": [CALLBACK]})) == NO_TOKEN
        assert error_of(as_json(latchkey, REGISTER, {}, Authorization="Bearer closed")) == NO_TOKEN
        assert error_of(as_json(latchkey, REGISTER, {}, Authorization="Bearer ")) == NO_TOKEN
        assert "registration_endpoint" not in latchkey.call("GET", "/.well-known/oauth-authorization-server").json()


def test_registration_can_require_an_initial_token(latchkey: TestApp) -> None:
    """The setting is its SHA-256 digest (RFC 7591 §3.1)."""
    token = "an initial token of the owner's"
    wanted = {"redirect_uris": [CALLBACK]}
    with setting(secrets.digest(token)):
        for wrong in (
            "",
            "Bearer",
            "Bearer x",
            f"Basic {token}",
            token,
            f"Bearer {secrets.digest(token)}",
            "Bearer é\ud800",
        ):
            assert error_of(as_json(latchkey, REGISTER, wanted, Authorization=wrong)) == NO_TOKEN, wrong
        response = as_json(latchkey, REGISTER, wanted)
        assert error_of(response) == NO_TOKEN
        assert response.header("x-amzn-Remapped-WWW-Authenticate") == 'Bearer error="invalid_token"'
        assert as_json(latchkey, REGISTER, wanted, Authorization=f"bearer {token}").status == 201
        assert latchkey.call("GET", "/.well-known/oauth-authorization-server").json()["registration_endpoint"]


def test_registrations_are_limited_by_network(latchkey: TestApp) -> None:
    """100 an hour, failed ones included; another network has its own limit."""
    latchkey.counted("registration_203.0.113.7", REGISTRATIONS, used=98)
    good = {"redirect_uris": [CALLBACK]}
    assert [as_json(latchkey, REGISTER, body).status for body in (good, {})] == [201, 400]
    response = as_json(latchkey, REGISTER, good)
    assert error_of(response) == (429, "rate_limit_exceeded")
    assert response.json()["message"] == response.json()["error_description"]
    assert (response.header("Retry-After"), response.header("X-RateLimit-Limit")) == ("3600", "100")
    assert latchkey.call("POST", REGISTER, json_body=good, ip="203.0.113.8").status == 201


def test_client_information_is_returned_to_the_token_holder(latchkey: TestApp) -> None:
    """RFC 7592 §2.1, §3: everything except the secret, with the presented token and the management URL."""
    body = register(latchkey, client_name="Photos", client_uri="https://photos.example")
    response = manage(latchkey, "GET", body["client_id"], body["registration_access_token"])
    assert (response.status, response.header("Cache-Control")) == (200, "no-store")
    hidden = {"client_secret", "client_secret_expires_at"}
    assert response.json() == {name: value for name, value in body.items() if name not in hidden}


def test_update_replaces_the_metadata(latchkey: TestApp, ada: User) -> None:
    """RFC 7592 §2.2: omitted fields get their default; id and secret stay."""
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
    """RFC 7592 §2.2: every field of the response except the read-only ones."""
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
    """Bad redirect URIs, grant types that it can't have, another id, a change between public and confidential."""
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
    """RFC 7592 §2.3: its grants are revoked at the next request, and it is unknown."""
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
    """Another client's token, a client secret, an API key, none: the same error as for an unknown client."""
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


def test_console_rejects_the_same_redirect_uris(latchkey: TestApp, ada: User) -> None:
    """The form has the same rules and shows the error."""
    for uri in ("http://evil.example/cb", "javascript:alert(1)", "https://a.example/#x", "https://u@a.example/cb"):
        page = ada.submit("/settings/applications/new", name="Mine", kind="public", scopes=["read"], redirect_uris=uri)
        assert page.status == 400
        assert "A redirect URI must" in page.problem
    mine = register_client(latchkey, owner=ada.account)
    path = f"/settings/applications/{mine.id}"
    assert ada.submit(f"{path}/change", on=path, name="Mine", redirect_uris="ftp://a.example/cb").status == 400
    assert ada.submit(f"{path}/change", on=path, name="Mine", redirect_uris="https://b.example/cb").status == 303
    assert Client.get(mine.id).redirect_uris == ["https://b.example/cb"]


@pytest.mark.parametrize(
    "uri", ["https://x.example/\u202e", "https://x.example:99999/", "https://x.example/\u200b\u2066"]
)
def test_invalid_client_uri_is_rejected(latchkey: TestApp, uri: str) -> None:
    """The rules for names apply, and its port must be valid."""
    response = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK], "client_uri": uri})
    assert error_of(response)[0] == 400


@pytest.mark.parametrize("name", ["client_secret", "client_id", "redirect_uris", "grant_types", "scope", "client_uri"])
def test_lone_surrogate_in_an_update_is_rejected(latchkey: TestApp, name: str) -> None:
    """In any field that is read: a 400, and nothing is changed."""
    made = latchkey.call("POST", "/oauth/register", json_body={"redirect_uris": [CALLBACK]}).json()
    bad = ["\ud800"] if name.endswith("s") else "\ud800"
    fields = {"client_id": made["client_id"], "redirect_uris": [CALLBACK], name: bad}
    target = f"/oauth/register/{made['client_id']}"
    response = latchkey.call("PUT", target, made["registration_access_token"], json_body=fields)
    assert response.status == 400
    assert latchkey.call("GET", target, made["registration_access_token"]).json()["redirect_uris"] == [CALLBACK]


def test_unknown_field_may_contain_a_lone_surrogate(latchkey: TestApp) -> None:
    """Fields that aren't read aren't checked."""
    assert (
        latchkey.call("POST", "/oauth/register", json_body={"redirect_uris": [CALLBACK], "x": "\ud800"}).status == 201
    )
