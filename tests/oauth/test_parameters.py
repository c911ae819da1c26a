"""What a request may look like: each parameter that is read once, in printable ASCII, as a form or as JSON."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from chalicelib.oauth import clients, parameters
from tests.oauth.flow import CLIENT, CODE, DEVICE, ISSUER, REFRESH, App, Person, as_json, post, query_of, refusal
from tests.oauth.test_device import decide, started
from tests.support.console_client import FORM, PASSWORD, person
from tests.support.harness import TestApp

REPEATED = {
    "/oauth/token": ("client_id", "client_secret", "grant_type", "scope"),
    "/oauth/device_authorization": ("client_id", "scope"),
    "/oauth/revoke": ("token",),
    "/oauth/introspect": ("token",),
}


@pytest.mark.parametrize("endpoint", REPEATED)
def test_parameter_that_is_repeated_in_a_form_is_refused(latchkey: TestApp, app: App, endpoint: str) -> None:
    """Whoever checks the first and uses the second can be fooled: no parameter may come twice (RFC 6749 §3.2)."""
    once = {"grant_type": CLIENT, "token": "nothing", **app.credentials}
    for name in REPEATED[endpoint]:
        same = once.get(name, "read")
        answer = post(latchkey, endpoint, {**once, name: [same, same]})
        assert refusal(answer) == (400, "invalid_request"), name


@pytest.mark.parametrize("name", ["code", "redirect_uri", "code_verifier"])
def test_parameter_of_a_code_that_is_repeated_is_refused(latchkey: TestApp, app: App, name: str) -> None:
    """Each grant type's own."""
    once = {"grant_type": CODE, "code": "x", "redirect_uri": app.redirect_uri, "code_verifier": "x", **app.credentials}
    assert refusal(post(latchkey, "/oauth/token", {**once, name: [once[name]] * 2})) == (400, "invalid_request")


@pytest.mark.parametrize("endpoint", REPEATED)
def test_parameter_that_is_repeated_in_json_is_refused(latchkey: TestApp, app: App, endpoint: str) -> None:
    """JSON parsers take the last of two names in silence; this one doesn't."""
    once = {"grant_type": CLIENT, "token": "nothing", **app.credentials}
    for name in REPEATED[endpoint]:
        body = json.dumps({**once, name: once.get(name, "read")})[:-1] + f', "{name}": "read"}}'
        answer = latchkey.call("POST", endpoint, body=body.encode())
        assert refusal(answer) == (400, "invalid_request"), name


def test_name_that_is_repeated_in_a_registration_is_refused(latchkey: TestApp) -> None:
    """Two lists of redirect URIs are none."""
    body = b'{"redirect_uris": ["https://a.example/cb"], "redirect_uris": ["https://b.example/cb"]}'
    assert refusal(latchkey.call("POST", "/oauth/register", body=body)) == (400, "invalid_client_metadata")


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
"""What no endpoint reads, each name with the values that it is sent with."""
ODD_BYTES = (b"extra=%ff%fe", b"extra=\xff", b"%ff=1", b"&&=&", b"extra", b"%", b"extra=%zz", b";")


def in_json(fields: dict[str, str], name: str, values: list[object]) -> bytes:
    """Return a JSON object that holds a name once for each of its values."""
    more = "".join(f", {json.dumps(name)}: {long_or_dumped(value)}" for value in values)
    return f"{json.dumps(fields)[:-1]}{more}}}".encode()


def long_or_dumped(value: object) -> str:
    """Return JSON; Python refuses to write a very long whole number, as it refuses to read one."""
    return "1" + "0" * 5_000 if isinstance(value, int) and value > 10**20 else json.dumps(value)


def accepted(latchkey: TestApp, app: App, ada: Person) -> dict[str, dict[str, str]]:
    """Return a request that succeeds for each endpoint."""
    access, refresh = ada.grant(app)
    return {
        "/oauth/device_authorization": dict(app.credentials),
        "/oauth/introspect": {**app.credentials, "token": access},
        "/oauth/token": {**app.credentials, "grant_type": CLIENT},
        "/oauth/revoke": {**app.credentials, "token": refresh},
    }


@pytest.mark.parametrize("endpoint", REPEATED)
def test_parameter_that_is_not_read_is_not_judged(latchkey: TestApp, ada: Person, app: App, endpoint: str) -> None:
    """RFC 6749 §3.2: whatever it is called, holds and how often it comes, in a form, in JSON or in the query."""
    fields = accepted(latchkey, app, ada)[endpoint]
    for name, values in UNREAD:
        latchkey.clock.forward(1)
        texts = [value for value in values if isinstance(value, str) and "\ud800" not in value]
        pairs = [*fields.items(), *((name, text) for text in texts)]
        form = latchkey.call("POST", endpoint, body=urlencode(pairs).encode(), headers={"Content-Type": FORM})
        target = f"{endpoint}?{urlencode([(name, text) for text in texts])}"
        assert [
            form.status,
            latchkey.call("POST", endpoint, body=in_json(fields, name, values)).status,
            post(latchkey, target, fields).status,
        ] == [200, 200, 200], (name, values)


OF_OTHER_GRANTS = {
    CODE: ("refresh_token", "device_code", "scope"),
    REFRESH: ("code", "redirect_uri", "code_verifier", "device_code"),
    CLIENT: ("code", "redirect_uri", "code_verifier", "refresh_token", "device_code"),
    DEVICE: ("scope", "code", "redirect_uri", "code_verifier", "refresh_token"),
}


@pytest.mark.parametrize("grant_type", OF_OTHER_GRANTS)
def test_parameter_of_another_grant_type_is_not_judged(
    latchkey: TestApp, ada: Person, app: App, native: App, grant_type: str
) -> None:
    """Malformed, twice or long: a token request reads what its own grant type needs."""
    for junk in ("\u00e9", ["a", "b"], "x" * 5_000):
        others = dict.fromkeys(OF_OTHER_GRANTS[grant_type], junk)
        if grant_type == CODE:
            answer = app.redeem(ada.code(app), **others)
        elif grant_type == REFRESH:
            answer = app.ask(REFRESH, refresh_token=ada.grant(app)[1], **others)
        elif grant_type == CLIENT:
            answer = app.ask(CLIENT, **others)
        else:
            device_code, user_code = started(native)
            decide(ada, user_code)
            latchkey.clock.forward(5)
            answer = native.ask(DEVICE, device_code=device_code, **others)
        assert answer.status == 200, answer.json()


@pytest.mark.parametrize("endpoint", REPEATED)
def test_bytes_that_are_not_read_are_not_judged(latchkey: TestApp, ada: Person, app: App, endpoint: str) -> None:
    """Neither what is no UTF-8 nor what is hardly a form, beside parameters that are right."""
    fields = accepted(latchkey, app, ada)[endpoint]
    for odd in ODD_BYTES:
        latchkey.clock.forward(1)
        body = urlencode(fields).encode() + b"&" + odd
        assert latchkey.call("POST", endpoint, body=body, headers={"Content-Type": FORM}).status == 200, odd
    body = json.dumps(fields)[:-1].encode() + b', "extra": "\xff", "\xfe": 1}'
    assert latchkey.call("POST", endpoint, body=body).status == 200


def test_parameter_that_is_not_read_is_not_judged_at_the_authorization_endpoint(latchkey: TestApp, app: App) -> None:
    """RFC 6749 §3.1: on the whole way, through the log-in and the decision, to the code."""
    account = person(name="Bea")
    for name, values in UNREAD:
        latchkey.clock.forward(1)
        texts = [value for value in values if isinstance(value, str) and "\ud800" not in value and name != "state"]
        bea = Person(latchkey, account=account)
        asked = bea.open(f"{app.asking(prompt='consent')}&{urlencode([(name, text) for text in texts])}")
        page = bea.follow(asked)
        page = bea.send("/login", bea.filled(page, "/login", {"email": account.email, "password": PASSWORD}))
        page = bea.follow(page)
        assert page.status == 200, name
        assert "code" in query_of(bea.decides(page).location), name
    for odd in ODD_BYTES:
        target = f"{app.asking(prompt='consent')}&{odd.decode('latin-1')}"
        assert bea.open(target).status == 200, odd


def test_cookie_or_header_that_is_not_read_is_not_judged(latchkey: TestApp, app: App) -> None:
    """What a browser or a library sends along by itself."""
    fields = {**app.credentials, "grant_type": CLIENT}
    odd = {"Cookie": "latchkey=é; ;=; a=b=c", "Origin": "null", "Referer": "é", "Accept": "nonsense", "X-Odd": "\x01"}
    assert post(latchkey, "/oauth/token", fields, headers=odd).status == 200


def test_parameter_that_is_empty_or_null_is_absent(latchkey: TestApp, ada: Person, app: App) -> None:
    """RFC 6749 §3.1: also `resource`, and also where it is repeated with one that isn't empty."""
    assert query_of(ada.allows(app, resource="", scope=["", "read"], state=["", "xyz"], prompt=""))["state"] == "xyz"
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


def test_json_that_is_no_object_of_strings_is_refused(latchkey: TestApp) -> None:
    """What an endpoint reads is a string, or a list of them for `resource`; nothing but an object holds any."""
    for body in BODIES:
        assert refusal(as_json(latchkey, "/oauth/token", body)) == (400, "invalid_request"), body


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


def test_body_that_cant_be_read_is_refused(latchkey: TestApp) -> None:
    """Bytes that are no UTF-8, control characters, too much, too deep: a sentence, and no fault of ours."""
    for content_type, body in UNREADABLE:
        answer = latchkey.call("POST", "/oauth/token", body=body, headers={"Content-Type": content_type})
        assert refusal(answer) == (400, "invalid_request"), body[:40]


def test_media_type_may_name_its_charset(latchkey: TestApp, app: App) -> None:
    """Many clients add it."""
    asked = {"grant_type": CLIENT, **app.credentials}
    for media_type, body in ((FORM, urlencode(asked)), ("application/json", json.dumps(asked))):
        headers = {"Content-Type": f"{media_type}; charset=UTF-8"}
        assert latchkey.call("POST", "/oauth/token", body=body.encode(), headers=headers).status == 200


def test_other_media_type_is_refused_in_oauths_form(latchkey: TestApp) -> None:
    """A 415 names what is taken, and clients find `error_description` where they look for it."""
    for endpoint in (*REPEATED, "/oauth/register"):
        answer = latchkey.call("POST", endpoint, body=b"<x/>", headers={"Content-Type": "text/xml"})
        assert refusal(answer) == (415, "unsupported_media_type")
        assert "application/json" in answer.json()["error_description"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_method_than_post_is_not_found(latchkey: TestApp, app: App, method: str) -> None:
    """A secret in a URL would stand in logs: the gateway knows no GET here, whatever its query says."""
    for endpoint in (*REPEATED, "/oauth/register"):
        answer = latchkey.call(method, f"{endpoint}?{urlencode({'grant_type': CLIENT, **app.credentials})}")
        assert (answer.status, answer.json()["error"]) == (404, "not_found")
        assert answer.header("X-RateLimit-Limit") == "0"


def test_query_of_a_token_request_is_not_looked_at(latchkey: TestApp, app: App) -> None:
    """Parameters of the token endpoint stand in its body (RFC 6749 §3.2)."""
    target = f"/oauth/token?{urlencode(app.credentials)}"
    assert refusal(post(latchkey, target, {"grant_type": CLIENT})) == (401, "invalid_client")
    target = f"/oauth/token?{urlencode({'grant_type': CLIENT})}"
    assert refusal(post(latchkey, target, app.credentials)) == (400, "invalid_request")


def test_empty_parameter_is_an_absent_one(latchkey: TestApp, ada: Person, app: App) -> None:
    """RFC 6749 §3.1 and §3.2: a parameter without a value is as good as left out."""
    assert refusal(app.ask("")) == refusal(app.ask(CODE, code="")) == (400, "invalid_request")
    assert app.redeem(ada.code(app), scope="", code_verifier="").json()["scope"] == "read"


def test_unknown_grant_type_is_refused(app: App) -> None:
    """There is no other grant type, and a quote in it breaks nothing."""
    for grant_type in ("password", "implicit", 'client"credentials\\', "CLIENT_CREDENTIALS"):
        assert refusal(app.ask(grant_type)) == (400, "unsupported_grant_type")


def test_grant_types_are_spelled_in_one_place() -> None:
    """What a token request reads is told by the names that clients are registered with."""
    assert set(parameters.GRANT_PARAMETERS) == set(clients.GRANT_TYPES)
    texts = {path.name: path.read_text() for path in Path(clients.__file__).parent.glob("*.py")}
    assert [name for name, text in texts.items() if "grant-type:" in text] == ["clients.py"]
