"""What a request may look like: each parameter once, in printable ASCII, as a form or as JSON."""

import json
from urllib.parse import urlencode

import pytest

from tests.house import House
from tests.oauth.flow import CLIENT, CODE, ISSUER, App, Person, as_json, post, refusal
from tests.visitor import FORM

REPEATED = {
    "/oauth/token": ("client_id", "client_secret", "grant_type", "code", "redirect_uri", "scope", "unheard_of"),
    "/oauth/device_authorization": ("client_id", "scope"),
    "/oauth/revoke": ("token", "token_type_hint"),
    "/oauth/introspect": ("token",),
}
AT_AUTHORIZE = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "prompt",
)


@pytest.mark.parametrize("endpoint", REPEATED)
def test_parameter_that_is_repeated_in_a_form_is_refused(home: House, app: App, endpoint: str) -> None:
    """Whoever checks the first and uses the second can be fooled: no parameter may come twice (RFC 6749 §3.2)."""
    once = {"grant_type": CLIENT, "token": "nothing", **app.credentials}
    for name in REPEATED[endpoint]:
        same = once.get(name, "read")
        answer = post(home, endpoint, {**once, name: [same, same]})
        assert refusal(answer) == (400, "invalid_request"), name


@pytest.mark.parametrize("endpoint", REPEATED)
def test_parameter_that_is_repeated_in_json_is_refused(home: House, app: App, endpoint: str) -> None:
    """JSON parsers take the last of two names in silence; this one doesn't."""
    once = {"grant_type": CLIENT, "token": "nothing", **app.credentials}
    for name in REPEATED[endpoint]:
        body = json.dumps({**once, name: once.get(name, "read")})[:-1] + f', "{name}": "read"}}'
        answer = home.call("POST", endpoint, body=body.encode())
        assert refusal(answer) == (400, "invalid_request"), name


def test_name_that_is_repeated_in_a_registration_is_refused(home: House) -> None:
    """Two lists of redirect URIs are none."""
    body = b'{"redirect_uris": ["https://a.example/cb"], "redirect_uris": ["https://b.example/cb"]}'
    assert refusal(home.call("POST", "/oauth/register", body=body)) == (400, "invalid_client_metadata")


def test_parameter_that_is_repeated_at_the_authorization_endpoint_is_told_to_the_person(ada: Person, spa: App) -> None:
    """Which of two redirects or clients is meant can't be known: nobody is sent anywhere."""
    for name in AT_AUTHORIZE:
        page = ada.open(f"{spa.asking(scope='read', prompt='none')}&{urlencode({name: 'read'})}")
        assert (page.status, page.location) == (400, "")
        assert f"{name} is given twice" in page.text


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
    {"resource": [7]},
    {"resource": {"a": "b"}},
    {"resource": [[ISSUER]]},
    {"grant_type": "client\ud800credentials"},
    {"grant_type": "client_credentials\n"},
    {"": "\x00"},
)


def test_json_that_is_no_object_of_strings_is_refused(home: House) -> None:
    """Nothing but an object of strings, and a list of them for `resource`, is a set of parameters."""
    for body in BODIES:
        assert refusal(as_json(home, "/oauth/token", body)) == (400, "invalid_request"), body


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


def test_body_that_cant_be_read_is_refused(home: House) -> None:
    """Bytes that are no UTF-8, control characters, too much, too deep: a sentence, and no fault of ours."""
    for content_type, body in UNREADABLE:
        answer = home.call("POST", "/oauth/token", body=body, headers={"Content-Type": content_type})
        assert refusal(answer) == (400, "invalid_request"), body[:40]


def test_media_type_may_name_its_charset(home: House, app: App) -> None:
    """Many clients add it."""
    asked = {"grant_type": CLIENT, **app.credentials}
    for media_type, body in ((FORM, urlencode(asked)), ("application/json", json.dumps(asked))):
        headers = {"Content-Type": f"{media_type}; charset=UTF-8"}
        assert home.call("POST", "/oauth/token", body=body.encode(), headers=headers).status == 200


def test_other_media_type_is_refused_in_oauths_form(home: House) -> None:
    """A 415 names what is taken, and clients find `error_description` where they look for it."""
    for endpoint in (*REPEATED, "/oauth/register"):
        answer = home.call("POST", endpoint, body=b"<x/>", headers={"Content-Type": "text/xml"})
        assert refusal(answer) == (415, "unsupported_media_type")
        assert "application/json" in answer.json()["error_description"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_method_than_post_is_not_found(home: House, app: App, method: str) -> None:
    """A secret in a URL would stand in logs: the gateway knows no GET here, whatever its query says."""
    for endpoint in (*REPEATED, "/oauth/register"):
        answer = home.call(method, f"{endpoint}?{urlencode({'grant_type': CLIENT, **app.credentials})}")
        assert (answer.status, answer.json()["error"]) == (404, "not_found")
        assert answer.header("X-RateLimit-Limit") == "0"


def test_query_of_a_token_request_is_not_looked_at(home: House, app: App) -> None:
    """Parameters of the token endpoint stand in its body (RFC 6749 §3.2)."""
    target = f"/oauth/token?{urlencode(app.credentials)}"
    assert refusal(post(home, target, {"grant_type": CLIENT})) == (401, "invalid_client")
    target = f"/oauth/token?{urlencode({'grant_type': CLIENT})}"
    assert refusal(post(home, target, app.credentials)) == (400, "invalid_request")


def test_empty_parameter_is_an_absent_one(home: House, ada: Person, app: App) -> None:
    """RFC 6749 §3.1 and §3.2: a parameter without a value is as good as left out."""
    assert refusal(app.ask("")) == refusal(app.ask(CODE, code="")) == (400, "invalid_request")
    assert app.redeem(ada.code(app), scope="", code_verifier="").json()["scope"] == "read"


def test_unknown_grant_type_is_refused(app: App) -> None:
    """There is no other grant type, and a quote in it breaks nothing."""
    for grant_type in ("password", "implicit", 'client"credentials\\', "CLIENT_CREDENTIALS"):
        assert refusal(app.ask(grant_type)) == (400, "unsupported_grant_type")
