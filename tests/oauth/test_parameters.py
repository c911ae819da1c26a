"""Request parameters: each may occur once, in printable ASCII, in a form or in JSON."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from chalicelib.oauth import clients, parameters
from tests.oauth.flow import CLIENT, CODE, DEVICE, ISSUER, REFRESH, App, User, as_json, error_of, post, query_of
from tests.oauth.test_device import decide, start_device
from tests.support.console_client import FORM, PASSWORD, new_account
from tests.support.harness import TestApp

REPEATED = {
    "/oauth/token": ("client_id", "client_secret", "grant_type", "scope"),
    "/oauth/device_authorization": ("client_id", "scope"),
    "/oauth/revoke": ("token",),
    "/oauth/introspect": ("token",),
}


@pytest.mark.parametrize("endpoint", REPEATED)
def test_repeated_form_parameter_is_invalid(latchkey: TestApp, app: App, endpoint: str) -> None:
    """RFC 6749 §3.2: a repeated parameter is an error, because two parsers could use different values."""
    once = {"grant_type": CLIENT, "token": "nothing", **app.credentials}
    for name in REPEATED[endpoint]:
        same = once.get(name, "read")
        response = post(latchkey, endpoint, {**once, name: [same, same]})
        assert error_of(response) == (400, "invalid_request"), name


@pytest.mark.parametrize("name", ["code", "redirect_uri", "code_verifier"])
def test_repeated_grant_parameter_is_invalid(latchkey: TestApp, app: App, name: str) -> None:
    """A repeated parameter of the requested grant type is an error."""
    once = {"grant_type": CODE, "code": "x", "redirect_uri": app.redirect_uri, "code_verifier": "x", **app.credentials}
    assert error_of(post(latchkey, "/oauth/token", {**once, name: [once[name]] * 2})) == (400, "invalid_request")


@pytest.mark.parametrize("endpoint", REPEATED)
def test_repeated_json_name_is_invalid(latchkey: TestApp, app: App, endpoint: str) -> None:
    """A repeated name in JSON is an error, although many parsers silently keep the last value."""
    once = {"grant_type": CLIENT, "token": "nothing", **app.credentials}
    for name in REPEATED[endpoint]:
        body = json.dumps({**once, name: once.get(name, "read")})[:-1] + f', "{name}": "read"}}'
        response = latchkey.call("POST", endpoint, body=body.encode())
        assert error_of(response) == (400, "invalid_request"), name


def test_repeated_name_in_a_registration_is_invalid(latchkey: TestApp) -> None:
    """A registration with two values of redirect_uris is ambiguous and rejected."""
    body = b'{"redirect_uris": ["https://a.example/cb"], "redirect_uris": ["https://b.example/cb"]}'
    assert error_of(latchkey.call("POST", "/oauth/register", body=body)) == (400, "invalid_client_metadata")


UNREAD: tuple[tuple[str, list[object]], ...] = (
    ("device_name", ["Jörg's iPhone"]),
    ("login_hint", ["jörg@example.com"]),
    ("ui_locales", ["fr-é"]),
    ("utm", ["1", "2"]),
    ("token_type_hint", ["refresh_token", "access_token", "é"]),
    ("state", ["a", "b"]),
    ("nonce", ["\x00"]),
    ("", ["", "\x7f"]),
    ("naïve\r\n", ["🗝"]),
    ("extra", [1]),
    ("extra", [None, True, False, 1.5, -1]),
    ("extra", [10**5_000]),
    ("extra", [[], [[1, "é"]], {}, {"a": {"b": [None]}, "grant_type": "x"}]),
    ("extra", ["lone \ud800"]),
)
"""Parameters that no endpoint reads, with their values."""
ODD_BYTES = (b"extra=%ff%fe", b"extra=\xff", b"%ff=1", b"&&=&", b"extra", b"%", b"extra=%zz", b";")


def build_json(fields: dict[str, str], name: str, values: list[object]) -> bytes:
    """Return a JSON object of the fields, to which a name is added once per value."""
    more = "".join(f", {json.dumps(name)}: {dump_value(value)}" for value in values)
    return f"{json.dumps(fields)[:-1]}{more}}}".encode()


def dump_value(value: object) -> str:
    """Return a value as JSON, even an integer for which json.dumps raises an error because of its length."""
    return "1" + "0" * 5_000 if isinstance(value, int) and value > 10**20 else json.dumps(value)


def build_valid_requests(latchkey: TestApp, app: App, ada: User) -> dict[str, dict[str, str]]:
    """Return the parameters of a valid request for each endpoint."""
    access, refresh = ada.grant(app)
    return {
        "/oauth/device_authorization": dict(app.credentials),
        "/oauth/introspect": {**app.credentials, "token": access},
        "/oauth/token": {**app.credentials, "grant_type": CLIENT},
        "/oauth/revoke": {**app.credentials, "token": refresh},
    }


@pytest.mark.parametrize("endpoint", REPEATED)
def test_unknown_parameter_is_ignored(latchkey: TestApp, ada: User, app: App, endpoint: str) -> None:
    """RFC 6749 §3.2: unknown parameters in a form, in JSON or in the query are ignored, even if repeated or
    malformed.
    """
    fields = build_valid_requests(latchkey, app, ada)[endpoint]
    for name, values in UNREAD:
        latchkey.clock.forward(1)
        texts = [value for value in values if isinstance(value, str) and "\ud800" not in value]
        pairs = [*fields.items(), *((name, text) for text in texts)]
        form = latchkey.call("POST", endpoint, body=urlencode(pairs).encode(), headers={"Content-Type": FORM})
        target = f"{endpoint}?{urlencode([(name, text) for text in texts])}"
        assert [
            form.status,
            latchkey.call("POST", endpoint, body=build_json(fields, name, values)).status,
            post(latchkey, target, fields).status,
        ] == [200, 200, 200], (name, values)


OF_OTHER_GRANTS = {
    CODE: ("refresh_token", "device_code", "scope"),
    REFRESH: ("code", "redirect_uri", "code_verifier", "device_code"),
    CLIENT: ("code", "redirect_uri", "code_verifier", "refresh_token", "device_code"),
    DEVICE: ("scope", "code", "redirect_uri", "code_verifier", "refresh_token"),
}


@pytest.mark.parametrize("grant_type", OF_OTHER_GRANTS)
def test_parameter_of_another_grant_type_is_ignored(
    latchkey: TestApp, ada: User, app: App, native: App, grant_type: str
) -> None:
    """Only parameters of the requested grant type are checked; others may be malformed, repeated or long."""
    for junk in ("\u00e9", ["a", "b"], "x" * 5_000):
        others = dict.fromkeys(OF_OTHER_GRANTS[grant_type], junk)
        if grant_type == CODE:
            response = app.redeem(ada.code(app), **others)
        elif grant_type == REFRESH:
            response = app.ask(REFRESH, refresh_token=ada.grant(app)[1], **others)
        elif grant_type == CLIENT:
            response = app.ask(CLIENT, **others)
        else:
            device_code, user_code = start_device(native)
            decide(ada, user_code)
            latchkey.clock.forward(5)
            response = native.ask(DEVICE, device_code=device_code, **others)
        assert response.status == 200, response.json()


@pytest.mark.parametrize("endpoint", REPEATED)
def test_malformed_bytes_of_unknown_parameters_are_ignored(
    latchkey: TestApp, ada: User, app: App, endpoint: str
) -> None:
    """Valid parameters are read even if invalid UTF-8 or a malformed pair follows them."""
    fields = build_valid_requests(latchkey, app, ada)[endpoint]
    for odd in ODD_BYTES:
        latchkey.clock.forward(1)
        body = urlencode(fields).encode() + b"&" + odd
        assert latchkey.call("POST", endpoint, body=body, headers={"Content-Type": FORM}).status == 200, odd
    body = json.dumps(fields)[:-1].encode() + b', "extra": "\xff", "\xfe": 1}'
    assert latchkey.call("POST", endpoint, body=body).status == 200


def test_unknown_parameter_is_ignored_at_the_authorization_endpoint(latchkey: TestApp, app: App) -> None:
    """RFC 6749 §3.1: an unknown parameter doesn't disturb the flow from the login to the code."""
    account = new_account(name="Bea")
    for name, values in UNREAD:
        latchkey.clock.forward(1)
        texts = [value for value in values if isinstance(value, str) and "\ud800" not in value and name != "state"]
        bea = User(latchkey, account=account)
        opened = bea.open(f"{app.authorization_path(prompt='consent')}&{urlencode([(name, text) for text in texts])}")
        page = bea.follow(opened)
        page = bea.send("/login", bea.fill(page, "/login", {"email": account.email, "password": PASSWORD}))
        page = bea.follow(page)
        assert page.status == 200, name
        assert "code" in query_of(bea.decide(page).location), name
    for odd in ODD_BYTES:
        target = f"{app.authorization_path(prompt='consent')}&{odd.decode('latin-1')}"
        assert bea.open(target).status == 200, odd


def test_unknown_cookie_or_header_is_ignored(latchkey: TestApp, app: App) -> None:
    """Unknown cookies and headers, which browsers and libraries send, are ignored."""
    fields = {**app.credentials, "grant_type": CLIENT}
    odd = {"Cookie": "latchkey=é; ;=; a=b=c", "Origin": "null", "Referer": "é", "Accept": "nonsense", "X-Odd": "\x01"}
    assert post(latchkey, "/oauth/token", fields, headers=odd).status == 200


def test_empty_or_null_parameter_is_absent(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 6749 §3.1: a parameter, or one of several `resource` values, that is empty or null counts as absent."""
    assert query_of(ada.allow(app, resource="", scope=["", "read"], state=["", "xyz"], prompt=""))["state"] == "xyz"
    once = {**app.credentials, "grant_type": CLIENT}
    for more in ({"resource": ""}, {"resource": ["", ISSUER]}, {"scope": ["", ""]}, {"code": ["", "x"]}):
        assert post(latchkey, "/oauth/token", {**once, **more}).status == 200, more
    assert app.post("/oauth/device_authorization", resource="", scope="").status == 200
    nulls: list[dict[str, object]] = [{"resource": None}, {"resource": ["", None]}, {"scope": None, "code": None}]
    for null in nulls:
        assert as_json(latchkey, "/oauth/token", {**once, **null}).status == 200, null


BODIES: tuple[object, ...] = (
    [],
    "text",
    7,
    None,
    {"grant_type": 7},
    {"grant_type": None},
    {"grant_type": ["client_credentials"]},
    {"grant_type": {"a": "b"}},
    {"grant_type": True},
    {"client_id": {"client_id": "x"}},
    {"grant_type": CLIENT, "resource": [7]},
    {"grant_type": CLIENT, "resource": {"a": "b"}},
    {"grant_type": CLIENT, "resource": [[ISSUER]]},
    {"grant_type": "client\ud800credentials"},
    {"grant_type": "client_credentials\n"},
)


def test_json_must_be_an_object_of_strings(latchkey: TestApp) -> None:
    """In JSON, a parameter is a string, and `resource` may be a list of strings."""
    for body in BODIES:
        assert error_of(as_json(latchkey, "/oauth/token", body)) == (400, "invalid_request"), body


UNREADABLE = (
    (FORM, b"grant_type=%ff"),
    (FORM, b"grant_type=\xff"),
    (FORM, b"grant_type=%00"),
    (FORM, b"&".join(b"p%d=" % number for number in range(200))),
    (FORM, b"grant_type=" + b"x" * 70_000),
    ("application/json", b"{"),
    ("application/json", b""),
    ("application/json", b"[" * 100_000),
    ("application/json", b'{"grant_type": ' + b"9" * 5_000 + b"}"),
    ("application/json", b'{"grant_type": NaN}'),
    ("application/json", b'{"grant_type": "' + b"x" * 70_000 + b'"}'),
)


def test_unreadable_body_is_invalid_request(latchkey: TestApp) -> None:
    """Invalid UTF-8, control characters, and bodies too long or too deeply nested get invalid_request, and
    never a 500.
    """
    for content_type, body in UNREADABLE:
        response = latchkey.call("POST", "/oauth/token", body=body, headers={"Content-Type": content_type})
        assert error_of(response) == (400, "invalid_request"), body[:40]


def test_media_type_may_have_a_charset(latchkey: TestApp, app: App) -> None:
    """A media type with a charset is accepted, because many clients send one."""
    opened = {"grant_type": CLIENT, **app.credentials}
    for media_type, body in ((FORM, urlencode(opened)), ("application/json", json.dumps(opened))):
        headers = {"Content-Type": f"{media_type}; charset=UTF-8"}
        assert latchkey.call("POST", "/oauth/token", body=body.encode(), headers=headers).status == 200


def test_other_media_type_has_the_error_format_of_oauth(latchkey: TestApp) -> None:
    """A request with an unsupported media type gets a 415 that lists the supported types in `error_description`."""
    for endpoint in (*REPEATED, "/oauth/register"):
        response = latchkey.call("POST", endpoint, body=b"<x/>", headers={"Content-Type": "text/xml"})
        assert error_of(response) == (415, "unsupported_media_type")
        assert "application/json" in response.json()["error_description"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_get_request_is_not_found(latchkey: TestApp, app: App, method: str) -> None:
    """Only POST is supported, because a secret in a URL would be logged."""
    for endpoint in (*REPEATED, "/oauth/register"):
        response = latchkey.call(method, f"{endpoint}?{urlencode({'grant_type': CLIENT, **app.credentials})}")
        assert (response.status, response.json()["error"]) == (404, "not_found")
        assert response.header("X-RateLimit-Limit") == "0"


def test_query_of_a_token_request_is_ignored(latchkey: TestApp, app: App) -> None:
    """RFC 6749 §3.2: parameters of a token request are read from the body only."""
    target = f"/oauth/token?{urlencode(app.credentials)}"
    assert error_of(post(latchkey, target, {"grant_type": CLIENT})) == (401, "invalid_client")
    target = f"/oauth/token?{urlencode({'grant_type': CLIENT})}"
    assert error_of(post(latchkey, target, app.credentials)) == (400, "invalid_request")


def test_empty_parameter_is_absent(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 6749 §3.1 and §3.2: an empty parameter counts as absent."""
    assert error_of(app.ask("")) == error_of(app.ask(CODE, code="")) == (400, "invalid_request")
    assert app.redeem(ada.code(app), scope="", code_verifier="").json()["scope"] == "read"


def test_unknown_grant_type_is_unsupported(app: App) -> None:
    """An unknown grant type gets unsupported_grant_type, even with special characters."""
    for grant_type in ("password", "implicit", 'client"credentials\\', "CLIENT_CREDENTIALS"):
        assert error_of(app.ask(grant_type)) == (400, "unsupported_grant_type")


def test_grant_types_have_one_spelling() -> None:
    """Token requests and client registration support the same grant types, whose names are written in one file only."""
    assert set(parameters.GRANT_PARAMETERS) == set(clients.GRANT_TYPES)
    texts = {path.name: path.read_text() for path in Path(clients.__file__).parent.glob("*.py")}
    assert [name for name, text in texts.items() if "grant-type:" in text] == ["clients.py"]
