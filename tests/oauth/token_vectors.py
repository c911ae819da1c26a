"""Invalid token requests as data: changes to a valid request, and the status, error and description of the response."""

from collections.abc import Callable, Iterable

from infra.local_gateway.response import Response
from tests.oauth.flow import CALLBACK, CHALLENGE, CLIENT, CODE, DEVICE, REFRESH, VERIFIER, Parameters, error_of

Value = str | Iterable[str] | None
ErrorResponse = tuple[int, str, str]
Vectors = tuple[tuple[Parameters, ErrorResponse], ...]

EVIL = "https://evil.example"
FILES = "https://files.example.com"
"""A configured resource that no consent covers."""
OTHER_VERIFIER = "M25iVXpKU3puUjFaYWg3T1NDTDQtcW1ROUY5YXlwalNoc0hhakxifmZHag"
"""A verifier that doesn't match the challenge."""


def error_response(response: Response) -> ErrorResponse:
    """Return status, error and description of a response, and check that it has the format of RFC 6749 §5.2."""
    return *error_of(response), response.json()["error_description"]


def find_differing(
    vectors: Vectors, ask: Callable[..., Response]
) -> list[tuple[Parameters, ErrorResponse, ErrorResponse]]:
    """Return the request, expected response and actual response of each vector whose response isn't the
    expected one.
    """
    responses = [(sent, right, error_response(ask(**sent))) for sent, right in vectors]
    return [each for each in responses if each[1] != each[2]]


def _request(description: str) -> ErrorResponse:
    return 400, "invalid_request", description


UNKNOWN_CLIENT = (401, "invalid_client", "The client is unknown, or its authentication failed.")
NO_SECRET = (401, "invalid_client", "This client has no secret to authenticate with.")
NO_CLIENT = (401, "invalid_client", "The client must authenticate or send client_id.")
UNREADABLE_BASIC = (401, "invalid_client", "The Basic credentials can't be read.")
OTHER_SCHEME = (401, "invalid_client", "The client must authenticate with HTTP Basic or with parameters.")
TWICE = _request("Use only one authentication method: HTTP Basic or client_secret.")
OTHER_ID = _request("client_id differs from the client that authenticates.")

NO_GRANT_TYPE = _request("grant_type is missing.")
UNKNOWN_GRANT_TYPE = (400, "unsupported_grant_type", "grant_type is not supported.")
NOT_REGISTERED = {
    CODE: (400, "unauthorized_client", "The client is not authorized to use 'grant_type=authorization_code'"),
    REFRESH: (400, "unauthorized_client", "The client is not authorized to use 'grant_type=refresh_token'"),
    CLIENT: (400, "unauthorized_client", "The client is not authorized to use 'grant_type=client_credentials'"),
    DEVICE: (400, "unauthorized_client", f"The client is not authorized to use 'response_type={DEVICE}'"),
}

NO_CODE = _request("Missing 'code' in request.")
WRONG_CODE = (400, "invalid_grant", "Invalid 'code' in request.")
WRONG_REDIRECT = (400, "invalid_grant", "Invalid 'redirect_uri' in request.")
NO_VERIFIER = _request("Missing 'code_verifier'")
ODD_VERIFIER = _request("Invalid 'code_verifier'")
NO_CHALLENGE = _request("The authorization request had no 'code_challenge', but a 'code_verifier' was provided.")
WRONG_VERIFIER = (400, "invalid_grant", "Code challenge failed.")
SPENT = (400, "invalid_grant", "The code or token is invalid, expired, already used or issued to another client.")

NO_REFRESH_TOKEN = _request("Missing 'refresh_token' in request.")
WRONG_REFRESH_TOKEN = (400, "invalid_grant", "invalid_grant")
ODD_SCOPE = (400, "invalid_scope", "The requested scope is invalid, unknown, or malformed.")
TOO_MUCH_SCOPE = (400, "invalid_scope", "The scope is unknown or exceeds what this client may request.")

NO_DEVICE_CODE = _request("Missing 'device_code' in payload")
WRONG_DEVICE_CODE = SPENT
PENDING = (400, "authorization_pending", "The resource owner has not decided yet. Poll again after the interval.")
TOO_FAST = (400, "slow_down", "Polling too frequently. Increase the interval by 5 seconds.")
DENIED = (400, "access_denied", "The resource owner denied the request.")
TOO_OLD = (400, "expired_token", "The device code has expired. Start again.")

UNKNOWN_RESOURCE = (400, "invalid_target", "The resource is unknown.")
OTHER_RESOURCE = (400, "invalid_target", "The resource was not granted.")

RESOURCES: Vectors = (
    ({"resource": EVIL}, UNKNOWN_RESOURCE),
    ({"resource": [EVIL, FILES]}, UNKNOWN_RESOURCE),
    ({"resource": FILES}, OTHER_RESOURCE),
    ({"resource": "é"}, _request("resource contains characters that are not allowed.")),
)

GRANT_TYPES: Vectors = (
    ({"grant_type": None}, NO_GRANT_TYPE),
    ({"grant_type": ""}, NO_GRANT_TYPE),
    ({"grant_type": [CLIENT, CLIENT]}, _request("grant_type is repeated.")),
    ({"grant_type": "é"}, _request("grant_type contains characters that are not allowed.")),
    ({"grant_type": "password"}, UNKNOWN_GRANT_TYPE),
    ({"grant_type": "implicit"}, UNKNOWN_GRANT_TYPE),
    ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}, UNKNOWN_GRANT_TYPE),
    ({"grant_type": f" {CLIENT}"}, UNKNOWN_GRANT_TYPE),
    ({"grant_type": CLIENT.upper()}, UNKNOWN_GRANT_TYPE),
    # For an unknown grant type, only the client's parameters are checked.
    ({"grant_type": "password", "scope": "é", "code": ["a", "b"]}, UNKNOWN_GRANT_TYPE),
    ({"grant_type": None, "scope": "é", "resource": EVIL}, NO_GRANT_TYPE),
)

# Changes to the exchange of a confidential client's code, requested with a redirect URI and without PKCE.
WITHOUT_PKCE: Vectors = (
    ({"code": None}, NO_CODE),
    ({"code": ""}, NO_CODE),
    ({"code": "x"}, WRONG_CODE),
    ({"code": ["x", "x"]}, _request("code is repeated.")),
    ({"code": "é"}, _request("code contains characters that are not allowed.")),
    ({"redirect_uri": None}, WRONG_REDIRECT),
    ({"redirect_uri": ""}, WRONG_REDIRECT),
    ({"redirect_uri": f"{CALLBACK}/"}, WRONG_REDIRECT),
    ({"redirect_uri": [CALLBACK, CALLBACK]}, _request("redirect_uri is repeated.")),
    ({"code_verifier": VERIFIER}, NO_CHALLENGE),
    ({"code_verifier": "short"}, NO_CHALLENGE),
    ({"code_verifier": "é"}, _request("code_verifier contains characters that are not allowed.")),
    ({"client_id": ["x", "x"], "code": ["x", "x"]}, _request("client_id is repeated.")),
    # Order of checks: grammar, client, code, redirect URI, PKCE, resource.
    ({"client_id": None, "code": ["x", "x"]}, _request("code is repeated.")),
    ({"client_id": None, "code": None}, NO_CLIENT),
    ({"client_secret": "x", "code": None}, UNKNOWN_CLIENT),
    ({"code": "x", "redirect_uri": None, "code_verifier": VERIFIER, "resource": EVIL}, WRONG_CODE),
    ({"redirect_uri": None, "code_verifier": VERIFIER, "resource": EVIL}, WRONG_REDIRECT),
    ({"code_verifier": VERIFIER, "resource": EVIL}, NO_CHALLENGE),
    *RESOURCES,
)

# Changes to the exchange of a code that was requested with PKCE.
WITH_PKCE: Vectors = (
    ({"code_verifier": None}, NO_VERIFIER),
    ({"code_verifier": ""}, NO_VERIFIER),
    ({"code_verifier": None, "redirect_uri": None}, NO_VERIFIER),
    ({"code_verifier": VERIFIER[:42]}, ODD_VERIFIER),
    ({"code_verifier": "a" * 129}, ODD_VERIFIER),
    *(({"code_verifier": f"{VERIFIER}{sign}"}, ODD_VERIFIER) for sign in "+/= :%'\"\\"),
    ({"code_verifier": f"{VERIFIER}\n"}, _request("code_verifier contains characters that are not allowed.")),
    ({"code_verifier": [VERIFIER, VERIFIER]}, _request("code_verifier is repeated.")),
    ({"code_verifier": "a" * 43}, WRONG_VERIFIER),
    ({"code_verifier": "-._~" * 32}, WRONG_VERIFIER),
    ({"code_verifier": OTHER_VERIFIER}, WRONG_VERIFIER),
    # A challenge is a valid verifier of itself with the method `plain`, which isn't supported.
    ({"code_verifier": CHALLENGE}, WRONG_VERIFIER),
    ({"redirect_uri": f"{CALLBACK}/"}, WRONG_REDIRECT),
    ({"redirect_uri": f"{CALLBACK}/", "code_verifier": None}, WRONG_REDIRECT),
    ({"code": None, "code_verifier": None}, NO_CODE),
    ({"code": "x", "code_verifier": None}, WRONG_CODE),
    ({"code_verifier": OTHER_VERIFIER, "resource": EVIL}, WRONG_VERIFIER),
    *RESOURCES,
)

# Changes to a refresh: the grant has the scope `read`, the client may have `read` and `write`.
REFRESHES: Vectors = (
    ({"refresh_token": None}, NO_REFRESH_TOKEN),
    ({"refresh_token": ""}, NO_REFRESH_TOKEN),
    ({"refresh_token": "x"}, WRONG_REFRESH_TOKEN),
    ({"refresh_token": ["x", "x"]}, _request("refresh_token is repeated.")),
    ({"refresh_token": "é"}, _request("refresh_token contains characters that are not allowed.")),
    ({"scope": "write"}, ODD_SCOPE),
    ({"scope": "read write"}, ODD_SCOPE),
    ({"scope": "read keys"}, ODD_SCOPE),
    ({"scope": "nonsense"}, ODD_SCOPE),
    ({"scope": 're"ad'}, ODD_SCOPE),
    ({"scope": "réad"}, _request("scope contains characters that are not allowed.")),
    ({"scope": ["read", "read"]}, _request("scope is repeated.")),
    # Order of checks: token, scope, resource.
    ({"refresh_token": None, "scope": "write", "resource": EVIL}, NO_REFRESH_TOKEN),
    ({"refresh_token": "x", "scope": "write", "resource": EVIL}, WRONG_REFRESH_TOKEN),
    ({"scope": "write", "resource": EVIL}, ODD_SCOPE),
    *RESOURCES,
)

# Changes to a client credentials request: the client may have `read`.
OF_ITS_OWN: Vectors = (
    ({"scope": "nonsense"}, ODD_SCOPE),
    ({"scope": "read nonsense"}, ODD_SCOPE),
    ({"scope": "keys"}, ODD_SCOPE),
    ({"scope": "READ"}, ODD_SCOPE),
    ({"scope": 'read"'}, ODD_SCOPE),
    ({"scope": "write"}, TOO_MUCH_SCOPE),
    ({"scope": "openid write"}, TOO_MUCH_SCOPE),
    ({"scope": "keys", "resource": EVIL}, ODD_SCOPE),
    ({"scope": "write", "resource": EVIL}, TOO_MUCH_SCOPE),
    ({"resource": EVIL}, UNKNOWN_RESOURCE),
)
