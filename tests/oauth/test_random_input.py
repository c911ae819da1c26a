"""Random input: the authorization server never responds with a 5xx, and every error has the OAuth format."""

import json
from collections.abc import Iterator
from itertools import cycle
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local_gateway.response import Response
from tests.oauth.flow import CALLBACK, CHALLENGE, CODE, DEVICE, GRANT_TYPES, REFRESH, App, User, register_client
from tests.support import exhaustive
from tests.support.console_client import FORM
from tests.support.fake_internet import Internet, replace_internet
from tests.support.harness import TestApp
from tests.support.malformed_input import MALFORMED

NOT_FLAKY = exhaustive.random_requests(40)
ENDPOINTS = ("/oauth/token", "/oauth/device_authorization", "/oauth/revoke", "/oauth/introspect", "/oauth/register")
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
ODD = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\ud800",
        '"',
        "\\",
        "'",
        "%",
        "%ff",
        "é",
        "🗝" * 40,
        "a b",
        "a\r\nb",
        "x" * 3_000,
        "https://[/x",
        "https://a:x/y",
        *MALFORMED.values(),
    ]
)
KNOWN = st.sampled_from([*GRANT_TYPES, "read", "write read", "code", "S256", CALLBACK, CHALLENGE, "none", "consent"])
TEXT = st.one_of(ANY_TEXT, ODD, KNOWN)
NAMES = st.sampled_from(
    [
        *(
            "client_id",
            "client_secret",
            "grant_type",
            "code",
            "code_verifier",
            "redirect_uri",
            "refresh_token",
            "scope",
        ),
        *("device_code", "token", "token_type_hint", "resource", "response_type", "state", "prompt"),
        *("code_challenge", "code_challenge_method", "client_assertion", "request", "redirect_uris", "grant_types"),
        *("response_types", "token_endpoint_auth_method", "client_name", "client_uri", "jwks"),
    ]
)
ANY_NAME = st.one_of(NAMES, ANY_TEXT)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ANY_NAME, inner, max_size=3)),
    max_leaves=5,
)
HEADERS = st.dictionaries(
    st.sampled_from(["Authorization", "Content-Type", "Accept", "Origin", "Cookie", "Host", "X-Forwarded-For"]),
    st.one_of(
        TEXT, TEXT.map("Basic ".__add__), TEXT.map("Bearer ".__add__), st.just(FORM), st.just("application/json")
    ),
    max_size=3,
)


@pytest.fixture
def internet() -> Iterator[Internet]:
    """A fake internet without any server, so that random client ids cause no real requests."""
    with replace_internet() as made:
        yield made


@pytest.fixture
def real(latchkey: TestApp, ada: User, app: App, spa: App) -> Iterator[dict[str, str]]:
    """Valid requests with real credentials, codes and tokens, in which a test replaces a parameter."""
    _, refresh = ada.grant(app)
    device = app.post("/oauth/device_authorization").json()
    return cycle(
        [
            {**app.credentials, "grant_type": CODE, "code": ada.code(app), "redirect_uri": CALLBACK},
            {**spa.credentials, "grant_type": CODE, "code": ada.code(spa), "redirect_uri": CALLBACK},
            {**app.credentials, "grant_type": REFRESH, "refresh_token": refresh, "token": refresh},
            {**app.credentials, "grant_type": DEVICE, "device_code": device["device_code"]},
            {**register_client(latchkey).credentials, "grant_type": "client_credentials", "token": refresh},
        ]
    )


def check(response: Response) -> None:
    """Check a response of a client endpoint against RFC 6749 §5.2."""
    assert response.status < 500, response
    assert response.header("X-RateLimit-Limit") is not None
    if response.status >= 400:
        body = response.json()
        assert {"error", "error_description"} <= body.keys() <= {"error", "error_description", "message"}
        assert response.header("Cache-Control") == "no-store"
        assert response.header("Content-Type") == "application/json"
        assert body["error_description"].isascii()
        assert body["error_description"].isprintable()
        assert not set(body["error_description"]) & {'"', "\\"}
        assert response.status in (400, 401, 415, 429)


def encode_form(fields: list[tuple[str, str]]) -> bytes:
    """Return form data, which may contain surrogates."""
    return urlencode(fields, errors="surrogatepass").encode()


@NOT_FLAKY
@given(endpoint=st.sampled_from(ENDPOINTS), name=ANY_NAME, value=TEXT)
def test_one_random_parameter_is_rejected(
    latchkey: TestApp, real: Iterator[dict[str, str]], endpoint: str, name: str, value: str
) -> None:
    """A valid request with one random parameter gets a success or an error in the OAuth format."""
    latchkey.clock.forward(1)
    fields = {**next(real), name: value}
    check(latchkey.call("POST", endpoint, body=encode_form([*fields.items()]), headers={"Content-Type": FORM}))
    check(latchkey.call("POST", endpoint, body=json.dumps(fields).encode()))


@NOT_FLAKY
@given(endpoint=st.sampled_from(ENDPOINTS), name=NAMES, value=JSON)
def test_one_parameter_of_another_type_is_rejected(
    latchkey: TestApp, real: Iterator[dict[str, str]], endpoint: str, name: str, value: object
) -> None:
    """A JSON value of any type in place of a string gets a success or an error in the OAuth format."""
    latchkey.clock.forward(1)
    described = {"redirect_uris": [CALLBACK]} if endpoint == "/oauth/register" else next(real)
    check(latchkey.call("POST", endpoint, body=json.dumps({**described, name: value}).encode()))


@NOT_FLAKY
@given(
    endpoint=st.sampled_from(ENDPOINTS),
    body=st.one_of(
        st.binary(max_size=80),
        JSON.map(json.dumps).map(str.encode),
        st.lists(st.tuples(ANY_NAME, TEXT)).map(encode_form),
    ),
    headers=HEADERS,
)
def test_random_body_and_headers_are_rejected(
    latchkey: TestApp, endpoint: str, body: bytes, headers: dict[str, str]
) -> None:
    """Random bodies, media types and Authorization headers get an error in the OAuth format."""
    latchkey.clock.forward(1)
    check(latchkey.call("POST", endpoint, body=body, headers=headers))


@NOT_FLAKY
@given(data=st.data(), method=st.sampled_from(["GET", "PUT", "DELETE"]))
def test_random_client_management_is_rejected(latchkey: TestApp, app: App, data: st.DataObject, method: str) -> None:
    """Client management with random ids, tokens and metadata gets an error in the OAuth format."""
    latchkey.clock.forward(1)
    client_id = data.draw(st.one_of(st.just(app.id), st.text("abc_09%.é~", min_size=1, max_size=30)))
    body = json.dumps(data.draw(JSON)).encode()
    response = latchkey.call(method, f"/oauth/register/{client_id}", body=body, headers=data.draw(HEADERS))
    check(response)
    assert response.status >= 400


@NOT_FLAKY
@given(name=ANY_NAME, value=TEXT, more=st.lists(st.tuples(ANY_NAME, TEXT), max_size=2), logged_in=st.booleans())
def test_random_authorization_request_never_fails(
    latchkey: TestApp,
    ada: User,
    spa: App,
    internet: Internet,
    name: str,
    value: str,
    more: list[tuple[str, str]],
    logged_in: bool,
) -> None:
    """A random request or decision redirects only to the client or the login page, if it redirects."""
    latchkey.clock.forward(1)
    query = quote_all([(name, value), *more])
    target = f"{spa.authorization_path(**{name: None} if name in ('state', 'redirect_uri') else {})}&{query}"
    cookies = dict(ada.cookies)
    if not logged_in:
        ada.cookies.clear()
    pages = [ada.open(target), ada.open(f"/oauth/authorize?{query}"), ada.open(f"/login?next={quote(target, safe='')}")]
    ada.cookies = cookies
    for page in pages:
        assert page.status < 500, page
        if page.location:
            assert page.location.startswith(
                (f"{CALLBACK}?", "/login?next=%2Foauth%2Fauthorize", "/oauth/authorize?", "/settings")
            ), target
    assert internet.requests == []


@NOT_FLAKY
@given(typed=TEXT)
def test_random_user_code_is_not_found(latchkey: TestApp, ada: User, typed: str) -> None:
    """A random user code matches no device authorization."""
    latchkey.clock.forward(3_600)
    ada.log_in_again()
    status = ada.open(f"/device?user_code={quote(typed, errors='surrogatepass')}").status
    assert status == (404 if typed else 200)


def quote_all(pairs: list[tuple[str, str]]) -> str:
    """Return a query string, which may contain surrogates."""
    return urlencode(pairs, errors="surrogatepass")


@NOT_FLAKY
@given(path=st.one_of(st.text("abc09%._~/é-", max_size=30), TEXT.map(lambda text: quote(text, errors="surrogatepass"))))
def test_random_well_known_path_is_not_found(latchkey: TestApp, path: str) -> None:
    """A random path below /.well-known is not found."""
    latchkey.clock.forward(1)
    for document in ("oauth-authorization-server", "oauth-protected-resource"):
        response = latchkey.call("GET", f"/.well-known/{document}/{path}x")
        assert (response.status, response.json()["error"]) == (404, "not_found")
