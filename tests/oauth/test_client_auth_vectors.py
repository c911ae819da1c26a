"""Client authentication at the token endpoint, byte for byte: accepted credentials, and each error."""

import hmac
from base64 import b64encode
from unittest.mock import patch
from urllib.parse import quote

import pytest

from chalicelib.core import secrets
from chalicelib.oauth import clients
from infra.local_gateway.response import Response
from tests.oauth import token_vectors as vectors
from tests.oauth.flow import CLIENT, App, Parameters, post
from tests.oauth.token_vectors import ErrorResponse, error_response
from tests.support.harness import TestApp

CHALLENGE = "x-amzn-Remapped-WWW-Authenticate"
SECRET = "lk_cs_secret"


def ask(latchkey: TestApp, authorization: str | None, **sent: str) -> Response:
    """Send a token request that is valid except for its client."""
    latchkey.clock.forward(0.5)
    headers = {} if authorization is None else {"Authorization": authorization}
    return post(latchkey, "/oauth/token", {"grant_type": CLIENT, **sent}, headers=headers)


def build_basic_header(text: str) -> str:
    """Return a Basic header whose client id and secret aren't form-encoded."""
    return f"Basic {b64encode(text.encode()).decode()}"


def encode_every_letter(text: str) -> str:
    """Return a text with every character percent-encoded."""
    return "".join(f"%{ord(letter):02X}" for letter in text)


def test_basic_credentials_are_form_decoded(latchkey: TestApp, app: App) -> None:
    """RFC 6749 §2.3.1: the header is split at the first colon, then id and secret are each form-decoded once."""
    secret = str(app.secret)
    for right in (
        build_basic_header(f"{app.id}:{secret}"),
        build_basic_header(f"{encode_every_letter(app.id)}:{encode_every_letter(secret)}"),
        build_basic_header(f"{encode_every_letter(app.id).lower()}:{quote(secret, safe='')}"),
        build_basic_header(f"{app.id}:{secret}").replace("Basic", "bASIC"),
        build_basic_header(f"{app.id}:{secret}").replace("Basic ", "Basic   "),
    ):
        assert ask(latchkey, right).status == 200, right
    for wrong in (
        build_basic_header(f"{quote(encode_every_letter(app.id))}:{secret}"),
        build_basic_header(f"{app.id}:{quote(encode_every_letter(secret))}"),
        build_basic_header(f"{app.id}:{secret}:"),
        build_basic_header(f"{app.id}%3A{secret}:x"),
        build_basic_header(f"{app.id}:{secret}+"),
        build_basic_header(f"{app.id}:+{secret}"),
        build_basic_header(f"{app.id}:{secret}%20"),
        build_basic_header(f"{app.id} :{secret}"),
        build_basic_header(f"{app.id}:{secret}%00"),
        build_basic_header(f"{app.id}:{secret[:-1]}%"),
    ):
        assert error_response(ask(latchkey, wrong)) == vectors.UNKNOWN_CLIENT, wrong


@pytest.mark.parametrize(
    ("authorization", "response"),
    [
        (None, vectors.NO_CLIENT),
        ("", vectors.NO_CLIENT),
        ("Basic", vectors.UNREADABLE_BASIC),
        ("Basic !!!!", vectors.UNREADABLE_BASIC),
        (build_basic_header("app_1"), vectors.UNREADABLE_BASIC),
        (build_basic_header("app_1:"), vectors.UNREADABLE_BASIC),
        (build_basic_header(f":{SECRET}"), vectors.UNREADABLE_BASIC),
        (build_basic_header(f"app_12:{SECRET}").rstrip("="), vectors.UNREADABLE_BASIC),
        (build_basic_header(f"äpp_1:{SECRET}"), vectors.UNREADABLE_BASIC),
        (build_basic_header(f"app_1:{SECRET}\n"), vectors.UNREADABLE_BASIC),
        ("Bearer x", vectors.OTHER_SCHEME),
        ("Digest x", vectors.OTHER_SCHEME),
        ("x", vectors.OTHER_SCHEME),
        (build_basic_header(f"app_1:{SECRET}"), vectors.UNKNOWN_CLIENT),
    ],
)
def test_unauthenticated_client_gets_a_challenge(
    latchkey: TestApp, authorization: str | None, response: ErrorResponse
) -> None:
    """RFC 6749 §5.2: a client that fails to authenticate gets a 401 with the scheme Basic in WWW-Authenticate."""
    actual = ask(latchkey, authorization)
    assert error_response(actual) == response
    assert actual.header(CHALLENGE) == 'Basic realm="latchkey"'


def test_failed_authentication_does_not_reveal_the_reason(latchkey: TestApp, app: App, spa: App) -> None:
    """RFC 6749 §5.2: all failures have the same error, except a secret sent with a public client's id."""
    unknown = "app_" + "0" * 20
    for sent in (
        {"client_id": app.id},
        {"client_id": app.id, "client_secret": ""},
        {"client_id": app.id, "client_secret": "x"},
        {"client_id": app.id, "client_secret": secrets.mint(clients.CLIENT_SECRET_KIND)},
        {"client_id": unknown},
        {"client_id": unknown, "client_secret": str(app.secret)},
        {"client_id": "x" * 3_000, "client_secret": "x" * 3_000},
    ):
        assert error_response(ask(latchkey, None, **sent)) == vectors.UNKNOWN_CLIENT, sent
    assert error_response(ask(latchkey, None, client_id=spa.id, client_secret="x")) == vectors.NO_SECRET
    assert error_response(ask(latchkey, build_basic_header(f"{spa.id}:x"))) == vectors.NO_SECRET


def test_client_uses_one_authentication_method(latchkey: TestApp, app: App, spa: App) -> None:
    """RFC 6749 §2.3: credentials in both header and body get an error without a WWW-Authenticate header, even if one of
    them is wrong.
    """
    secret = str(app.secret)
    header = build_basic_header(f"{app.id}:{secret}")
    wrong: tuple[tuple[str, dict[str, str], ErrorResponse], ...] = (
        (header, {"client_secret": secret}, vectors.TWICE),
        (header, {"client_id": app.id, "client_secret": secret}, vectors.TWICE),
        (header, {"client_id": spa.id, "client_secret": "x"}, vectors.TWICE),
        (build_basic_header("x:x"), {"client_id": app.id, "client_secret": secret}, vectors.TWICE),
        (header, {"client_id": spa.id}, vectors.OTHER_ID),
        (build_basic_header("x:x"), {"client_id": app.id}, vectors.OTHER_ID),
    )
    for authorization, sent, response in wrong:
        actual = ask(latchkey, authorization, **sent)
        assert (error_response(actual), actual.header(CHALLENGE)) == (response, None), sent
    for same in ({"client_id": app.id}, {"client_id": "", "client_secret": ""}, {"client_id": app.id}):
        assert ask(latchkey, header, **same).status == 200, same
    unreadable = {"client_id": app.id, "client_secret": secret}
    assert error_response(ask(latchkey, "Bearer x", **unreadable)) == vectors.OTHER_SCHEME


@pytest.mark.parametrize(
    ("sent", "response"),
    [
        ({"client_id": ["x", "x"]}, "client_id is repeated."),
        ({"client_secret": ["x", "x"]}, "client_secret is repeated."),
        ({"client_id": "é", "client_secret": "é"}, "client_id contains characters that are not allowed."),
        ({"client_secret": "\x00"}, "client_secret contains characters that are not allowed."),
        ({"grant_type": [CLIENT, CLIENT], "client_secret": "x"}, "grant_type is repeated."),
        ({"scope": ["a", "b"], "client_secret": "x"}, "scope is repeated."),
    ],
)
def test_malformed_request_is_rejected_before_authentication(
    latchkey: TestApp, app: App, sent: Parameters, response: str
) -> None:
    """RFC 6749 §3.2: a malformed request gets invalid_request, even if its client would fail to authenticate."""
    actual = post(latchkey, "/oauth/token", {"grant_type": CLIENT, "client_id": app.id, **sent})
    assert error_response(actual) == (400, "invalid_request", response)


def test_client_secret_is_compared_in_constant_time(app: App) -> None:
    """Digests of client secrets are compared with `hmac.compare_digest`, so timing reveals nothing about a secret."""
    app.secret = secrets.mint(clients.CLIENT_SECRET_KIND)
    with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compared:
        assert error_response(app.ask(CLIENT)) == vectors.UNKNOWN_CLIENT
    compared.assert_any_call(app.client.secret_digest, secrets.digest(app.secret))
