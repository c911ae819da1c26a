"""Parse the parameters of a request. Each may occur once and must be printable ASCII; the client may use only one
authentication method.

Only the parameters that an endpoint reads are checked. Other parameters are ignored even if they are malformed (RFC
6749 §3.1, §3.2). Malformed input is rejected here with a clear error.
"""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from urllib.parse import parse_qsl, unquote_plus

from chalicelib.core import http_syntax, json_text
from chalicelib.oauth import clients
from chalicelib.oauth.errors import OAuthError, invalid_client, invalid_request

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
BODY_BYTES_MAX = 64 * 1024
FIELDS_MAX = 100
REPEATABLE = ("resource",)

CLIENT_PARAMETERS = ("client_id", "client_secret")
AUTHORIZATION_PARAMETERS = (
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "prompt",
    "resource",
    "code_challenge",
    "code_challenge_method",
)
GRANT_PARAMETERS = {
    clients.CODE: ("code", "redirect_uri", "code_verifier", "resource"),
    clients.REFRESH: ("refresh_token", "scope", "resource"),
    clients.CLIENT_CREDENTIALS: ("scope", "resource"),
    clients.DEVICE: ("device_code", "resource"),
}
"""The parameters that each grant type reads from a token request, besides CLIENT_PARAMETERS and `grant_type`."""
TOKEN_PARAMETERS = (*CLIENT_PARAMETERS, "grant_type", *sorted(set(chain(*GRANT_PARAMETERS.values()))))
DEVICE_PARAMETERS = (*CLIENT_PARAMETERS, "scope", "resource")
TOKEN_QUERY_PARAMETERS = (*CLIENT_PARAMETERS, "token")

_NEVER_ABSENT = ("grant_type", "token")
"""Parameters for which JSON null is an error. For any other parameter, null means that it is absent."""

OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})
"""OpenID Connect's scopes. They are ignored in every request, because many clients always send them."""

# The characters VSCHAR for state, ids and codes, and NQCHAR for a scope (RFC 6749 appendix A).
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a request as they were sent. Each parameter is checked when it is read."""

    sent: Mapping[str, Sequence[object]]
    """The values by name. Empty values (RFC 6749 §3.1) and JSON nulls are omitted, because they mean that a parameter
    is absent.
    """

    def __repr__(self) -> str:
        """Return the names of the parameters without their values, because many values are secrets."""
        known = AUTHORIZATION_PARAMETERS + TOKEN_PARAMETERS
        return f"Parameters({', '.join(name for name in self.sent if name in known)})"

    def get(self, name: str) -> str:
        """Return a parameter, "" when it is absent; raise invalid_request when it is repeated or malformed."""
        values = self.sent.get(name, ())
        if len(values) > 1:
            raise invalid_request(f"{name} is repeated.")
        return _check(name, values[0]) if values else ""

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return all values of a repeatable parameter; raise invalid_request when one is malformed."""
        return tuple(_check(name, value) for value in self.sent.get(name, ()))

    def check(self, names: Iterable[str]) -> None:
        """Raise invalid_request when a parameter in `names` is repeated or malformed."""
        for name in names:
            if name in REPEATABLE:
                self.get_all(name)
            else:
                self.get(name)

    def select_for_grant_type(self) -> "Parameters":
        """Return only the parameters that the request's grant type reads, because the others must not be checked."""
        names = (*CLIENT_PARAMETERS, "grant_type", *GRANT_PARAMETERS.get(self.get_unchecked("grant_type"), ()))
        return Parameters({name: values for name, values in self.sent.items() if name in names})

    def require(self, name: str) -> str:
        """Return a parameter; raise invalid_request when it is absent."""
        value = self.get(name)
        if not value:
            raise invalid_request(f"{name} is missing.")
        return value

    def get_unchecked(self, name: str) -> str:
        """Return a parameter without checking it, "" when it is absent or repeated."""
        values = self.sent.get(name, ())
        return values[0] if len(values) == 1 and isinstance(values[0], str) else ""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The client_id of a request and, unless the client is public, its secret."""

    client_id: str
    secret: str | None

    def __repr__(self) -> str:
        """Return a text without the secret, for logs and tracebacks."""
        return f"ClientCredentials({self.client_id})"


def parse_query(pairs: Mapping[str, list[str]]) -> Parameters:
    """Return the parameters of a query string."""
    return _sent((name, value) for name, values in pairs.items() for value in values)


def parse_body(raw: bytes | str, content_type: str) -> Parameters:
    """Return the parameters of a form or, as the published API contract allows, of a JSON object of strings."""
    if len(raw) > BODY_BYTES_MAX:
        raise invalid_request("The body is too long.")
    # Invalid UTF-8 is decoded to surrogates, which `_check` rejects in every parameter that is read.
    text = raw.decode(errors="surrogateescape") if isinstance(raw, bytes) else raw
    try:
        if http_syntax.media_type(content_type) == JSON:
            return _parse_json(text)
    except (ValueError, RecursionError):
        raise invalid_request("The body is not a JSON object of strings.") from None
    try:
        return _sent(parse_qsl(text, errors="surrogateescape", max_num_fields=FIELDS_MAX))
    except ValueError:
        raise invalid_request(f"The form has more than {FIELDS_MAX} parameters.") from None


def parse_client_credentials(parameters: Parameters, authorization: str) -> ClientCredentials:
    """Return the client's credentials. They come from HTTP Basic or from parameters, never from both (RFC 6749 §2.3).

    Raises invalid_client when credentials are missing or the Basic header is malformed, invalid_request when both
    methods are used or the two client ids differ.
    """
    posted_id, posted_secret = parameters.get("client_id"), parameters.get("client_secret")
    if not authorization:
        if not posted_id:
            raise invalid_client("The client must authenticate or send client_id.")
        return ClientCredentials(posted_id, posted_secret or None)
    client_id, secret = _basic(authorization)
    if posted_secret:
        raise invalid_request("Use only one authentication method: HTTP Basic or client_secret.")
    if posted_id and posted_id != client_id:
        raise invalid_request("client_id differs from the client that authenticates.")
    return ClientCredentials(client_id, secret)


def read_scope(parameters: Parameters) -> set[str]:
    """Return the requested scopes without checking them, and without the scopes of OpenID Connect. Returns an empty set
    if the parameter is absent.
    """
    return set(parameters.get("scope").split(" ")) - OPENID_SCOPES - {""}


def parse_scope(parameters: Parameters) -> set[str]:
    """Return the requested scopes without those of OpenID Connect; raise invalid_scope when one is malformed."""
    words = read_scope(parameters)
    if not all(_SCOPE.fullmatch(word) for word in words):
        raise OAuthError("invalid_scope", "scope must be a list of scopes separated by spaces.")
    return words


def _basic(authorization: str) -> tuple[str, str]:
    scheme, encoded = http_syntax.credentials(authorization)
    if scheme != "basic":
        raise invalid_client("The client must authenticate with HTTP Basic or with parameters.")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        raise invalid_client("The Basic credentials can't be read.") from None
    client_id, colon, secret = text.partition(":")
    if not colon or not client_id or not secret or not _PRINTABLE.fullmatch(text):
        raise invalid_client("The Basic credentials can't be read.")
    # RFC 6749 §2.3.1 requires clients to form-encode the id and the secret. Ids and secrets of this server are the
    # same when they are encoded, so clients that omit the encoding work, too.
    return unquote_plus(client_id), unquote_plus(secret)


class _Pairs(list[tuple[str, object]]):
    """The pairs of a JSON object, including repeated names."""


def _parse_json(text: str) -> Parameters:
    # Read integers as floats: converting a very long integer raises an error, even in a parameter that no endpoint
    # reads.
    given = json_text.read(text, of_object=_Pairs, parse_int=float)
    if not isinstance(given, _Pairs):
        raise ValueError("not an object")
    return _sent((name, each) for name, value in given for each in _values(name, value))


def _values(name: str, value: object) -> Iterable[object]:
    """Return the values of one JSON field. For a repeatable parameter these are the items of its list."""
    return value if name in REPEATABLE and isinstance(value, list) and not isinstance(value, _Pairs) else (value,)


def _sent(pairs: Iterable[tuple[str, object]]) -> Parameters:
    sent: dict[str, list[object]] = {}
    for name, value in pairs:
        is_absent = value == "" or (value is None and name not in _NEVER_ABSENT)
        if not is_absent:
            sent.setdefault(name, []).append(value)
    return Parameters(sent)


def _check(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise invalid_request(f"{name} must be a string.")
    if not _PRINTABLE.fullmatch(value):
        raise invalid_request(f"{name} contains characters that are not allowed.")
    return value
