"""Errors of the authorization endpoint, byte for byte: the order of checks, and code and description of each error."""

import pytest

from tests.oauth.flow import CALLBACK, CHALLENGE, CLIENT, ISSUER, PKCE, App, Parameters, User, query_of, register_client
from tests.oauth.token_vectors import DENIED, EVIL
from tests.support.harness import TestApp

ErrorResponse = tuple[str, str]

OTHER_GRANT = ("unauthorized_client", "This client may not use authorization_code.")
NO_RESPONSE_TYPE = ("invalid_request", "response_type is missing.")
UNKNOWN_RESPONSE_TYPE = ("unsupported_response_type", "response_type may be code only.")
WRONG_SCOPE = ("invalid_scope", "The requested scope is invalid, unknown, or malformed.")
WRONG_MODE = ("invalid_request", "response_mode may be query only.")
WRONG_RESOURCE = ("invalid_target", "The resource is unknown.")
NO_CHALLENGE = ("invalid_request", "code_challenge is missing. This client must use PKCE.")
WRONG_METHOD = ("invalid_request", "code_challenge_method must be S256.")
WRONG_CHALLENGE = ("invalid_request", "code_challenge must be a SHA-256 digest in base64url without padding.")
WRONG_PROMPT = ("invalid_request", "prompt must be none, or any of consent, login and select_account.")

VECTORS: tuple[tuple[Parameters, ErrorResponse], ...] = (
    ({"response_type": None}, NO_RESPONSE_TYPE),
    ({"response_type": ""}, NO_RESPONSE_TYPE),
    ({"response_type": "token"}, UNKNOWN_RESPONSE_TYPE),
    ({"response_type": "code token"}, UNKNOWN_RESPONSE_TYPE),
    ({"response_type": "code code"}, UNKNOWN_RESPONSE_TYPE),
    ({"response_type": " code"}, UNKNOWN_RESPONSE_TYPE),
    ({"response_type": ["code", "code"]}, ("invalid_request", "response_type is repeated.")),
    ({"scope": "nonsense"}, WRONG_SCOPE),
    ({"scope": "read nonsense"}, WRONG_SCOPE),
    ({"scope": "read keys"}, WRONG_SCOPE),
    ({"scope": 're"ad'}, WRONG_SCOPE),
    ({"scope": "write"}, WRONG_SCOPE),
    ({"scope": ["read", "read"]}, ("invalid_request", "scope is repeated.")),
    ({"scope": "réad"}, ("invalid_request", "scope contains characters that are not allowed.")),
    ({"response_mode": "fragment"}, WRONG_MODE),
    ({"state": "é"}, ("invalid_request", "state contains characters that are not allowed.")),
    ({"resource": EVIL}, WRONG_RESOURCE),
    ({"resource": [ISSUER, EVIL]}, WRONG_RESOURCE),
    ({"code_challenge": None, "code_challenge_method": None}, NO_CHALLENGE),
    ({"code_challenge": ""}, WRONG_CHALLENGE),
    ({"code_challenge_method": None}, WRONG_METHOD),
    ({"code_challenge_method": "plain"}, WRONG_METHOD),
    ({"code_challenge_method": "s256"}, WRONG_METHOD),
    ({"code_challenge": CHALLENGE[:-1]}, WRONG_CHALLENGE),
    ({"code_challenge": f"{CHALLENGE}="}, WRONG_CHALLENGE),
    ({"code_challenge": "a" * 128}, WRONG_CHALLENGE),
    ({"code_challenge": f"{CHALLENGE[:-1]}~"}, WRONG_CHALLENGE),
    ({"prompt": "none login"}, WRONG_PROMPT),
    # Order of checks: response type, scope, response mode, state, resource, challenge, prompt.
    ({"response_type": "token", "scope": "nonsense"}, UNKNOWN_RESPONSE_TYPE),
    ({"scope": "nonsense", "response_mode": "fragment"}, WRONG_SCOPE),
    ({"response_mode": "fragment", "resource": EVIL}, WRONG_MODE),
    ({"resource": EVIL, "code_challenge_method": "plain"}, WRONG_RESOURCE),
    ({"code_challenge": "x", "code_challenge_method": "plain"}, WRONG_METHOD),
    ({"code_challenge": "x", "prompt": "x"}, WRONG_CHALLENGE),
)


def test_first_error_of_an_authorization_request_is_returned(latchkey: TestApp, ada: User) -> None:
    """RFC 6749 §4.1.2.1: a request with several errors gets the first in the order of checks."""
    reader = register_client(latchkey, public=True, scopes=["read"])
    for changed, response in VECTORS:
        latchkey.clock.forward(1)
        query = query_of(ada.open_authorization(reader, **{**PKCE, **changed}).location)
        assert (query["error"], query["error_description"]) == response, changed


def test_client_without_the_code_grant_is_rejected_first(latchkey: TestApp, ada: User) -> None:
    """RFC 6749 §4.1.2.1: a client without the code grant gets unauthorized_client, even if the request has other
    errors.
    """
    machine = register_client(latchkey, CALLBACK, grant_types=[CLIENT])
    for changed in ({}, {"response_type": "token", "scope": "nonsense"}):
        query = query_of(ada.open_authorization(machine, **changed).location)
        assert (query["error"], query["error_description"]) == OTHER_GRANT


@pytest.mark.parametrize(
    ("registered", "requested", "granted"),
    [
        (["read", "write"], None, "read"),
        (["read", "write"], "", "read"),
        (["read", "write"], " ", "read"),
        (["read", "write"], "openid profile", "read"),
        (["read", "write"], "write", "write"),
        (["read", "write"], " write  read write", "read write"),
        (["read"], "read write", "read"),
        (["read"], "openid write read", "read"),
    ],
)
def test_scope_is_limited_to_the_scopes_of_the_client(
    latchkey: TestApp, ada: User, registered: list[str], requested: str | None, granted: str
) -> None:
    """RFC 6749 §3.3: a request without a scope gets `read`, and scopes the client may not have are dropped."""
    app = register_client(latchkey, scopes=registered)
    assert ada.tokens(app, scope=requested)["scope"] == granted


def test_client_without_read_must_request_a_scope(latchkey: TestApp, ada: User) -> None:
    """RFC 6749 §3.3: a request without a scope is an error if the client isn't registered for `read`."""
    writer = register_client(latchkey, scopes=["write"])
    query = query_of(ada.open_authorization(writer).location)
    assert (query["error"], query["error_description"]) == WRONG_SCOPE
    assert ada.tokens(writer, scope="write")["scope"] == "write"


def test_denied_authorization_names_the_resource_owner(ada: User, app: App) -> None:
    """RFC 6749 §4.1.2.1: the description of access_denied is the same as at the token endpoint."""
    query = query_of(ada.decide(ada.open_authorization(app), "deny").location)
    assert (query["error"], query["error_description"]) == DENIED[1:]
