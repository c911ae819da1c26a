"""Dynamic client registration (RFC 7591 §2): which metadata is kept, replaced or rejected."""

import pytest

from chalicelib.oauth.tables import Client
from tests.oauth.dynamic_registration import BAD_METADATA, BAD_REDIRECT, REGISTER, app_of, manage, register
from tests.oauth.flow import (
    CALLBACK,
    CLIENT,
    CODE,
    DEVICE,
    LOOPBACK,
    REFRESH,
    User,
    as_json,
    error_of,
    register_client,
)
from tests.support.harness import TestApp

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
    """RFC 7591 §3.2.2: every bad redirect URI gets the error invalid_redirect_uri."""
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
    """RFC 7591 §3.2.2: bad metadata, and any field of a wrong type, gets invalid_client_metadata."""
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
    """A private-use scheme can be registered, but always needs consent, because other apps can claim the scheme."""
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
    """RFC 7591 §3.2.1: the server may drop unsupported values, and the response contains the values that remain."""
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
    """RFC 7591 §2: a field that is null counts as absent."""
    body = register(latchkey, **{name: None})
    without = register(latchkey)
    own = ("client_id", "client_secret", "registration_access_token", "registration_client_uri")
    assert {**body, **dict.fromkeys(own)} == {**without, **dict.fromkeys(own)}


def test_null_redirect_uris_are_absent(latchkey: TestApp) -> None:
    """redirect_uris may be null for a client of the device flow, but not for one of the code flow."""
    assert register(latchkey, redirect_uris=None, grant_types=[DEVICE])["redirect_uris"] == []
    assert error_of(as_json(latchkey, REGISTER, {"redirect_uris": None})) == BAD_REDIRECT


def test_unknown_fields_are_ignored(latchkey: TestApp) -> None:
    """Unknown fields are neither stored nor returned."""
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


def test_error_code_does_not_depend_on_the_message(latchkey: TestApp) -> None:
    """The error code depends on the field that is wrong, even if its value mentions another field."""
    assert (
        error_of(as_json(latchkey, REGISTER, {"redirect_uris": [CALLBACK], "client_name": "redirect URI\n"}))
        == BAD_METADATA
    )
    many = [f"https://app.example.com/{number}" for number in range(11)]
    assert error_of(as_json(latchkey, REGISTER, {"redirect_uris": many})) == BAD_REDIRECT


def test_client_uri_is_kept_unchanged_or_dropped(latchkey: TestApp) -> None:
    """A client_uri that is too long is dropped, because a shortened one would lead elsewhere."""
    longest = "https://app.example.com/".ljust(100, "x")
    assert register(latchkey, client_uri=longest)["client_uri"] == longest
    for uri in (longest + "x", "https://app.example.com/".ljust(168, "x")):
        assert "client_uri" not in register(latchkey, client_uri=uri)
    assert "client_uri" not in register(latchkey, client_uri="")
    assert register(latchkey, client_uri="http://app.example.com/a?b#c")["client_uri"] == "http://app.example.com/a?b#c"


def test_name_is_registered_unchanged_or_rejected(latchkey: TestApp) -> None:
    """A name that is too long is rejected, because a shortened one could be another app's; an empty one gets the
    default.
    """
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


def test_console_rejects_the_same_redirect_uris(latchkey: TestApp, ada: User) -> None:
    """The console's form rejects the redirect URIs that registration rejects, and shows the error."""
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
    """A client_uri needs a valid host and a valid port."""
    response = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK], "client_uri": uri})
    assert error_of(response)[0] == 400


def test_unknown_field_may_contain_a_lone_surrogate(latchkey: TestApp) -> None:
    """Unknown fields aren't checked, so they may contain a lone surrogate."""
    assert (
        latchkey.call("POST", "/oauth/register", json_body={"redirect_uris": [CALLBACK], "x": "\ud800"}).status == 201
    )
