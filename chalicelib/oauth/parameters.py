"""Reading a request before any protocol does: one value a parameter, plain text, one way of authenticating.

Only what an endpoint reads is checked; every other parameter is ignored, whatever it holds (RFC 6749 §3.1, §3.2).
Malformed input is rejected here with a clear error, since libraries meet it as an exception or let it pass.
"""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from chalicelib.core import http_syntax, json_text
from chalicelib.oauth import clients
from chalicelib.oauth.errors import OAuthError, invalid_client, invalid_request

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
BODY_BYTES_MAX = 64 * 1024
FIELDS_MAX = 100
REPEATABLE = ("resource",)

OF_CLIENT = ("client_id", "client_secret")
OF_AUTHORIZATION = (
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
OF_GRANT = {
    clients.CODE: ("code", "redirect_uri", "code_verifier", "resource"),
    clients.REFRESH: ("refresh_token", "scope", "resource"),
    clients.CLIENT_CREDENTIALS: ("scope", "resource"),
    clients.DEVICE: ("device_code", "resource"),
}
"""What a token request of each grant type reads besides its client and its grant type."""
OF_TOKEN_REQUEST = (*OF_CLIENT, "grant_type", *sorted({name for names in OF_GRANT.values() for name in names}))
OF_DEVICE_REQUEST = (*OF_CLIENT, "scope", "resource")
ABOUT_A_TOKEN = (*OF_CLIENT, "token")

_NEVER_ABSENT = ("grant_type", "token")
"""What JSON's null can't leave out: an endpoint is asked about nothing else."""

OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})
"""OpenID Connect's own scopes, which many clients send by habit: dropped wherever a scope is read."""

# RFC 6749 appendix A: VSCHAR for state, ids and codes, NQCHAR for a scope.
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request as they were sent. Each is checked when it is read, and not before."""

    sent: Mapping[str, Sequence[object]]
    """The values of each name, without what means that it is absent: an empty one (RFC 6749 §3.1), and JSON's null."""

    def __repr__(self) -> str:
        """Name the parameters without their values: many are secrets."""
        return f"Parameters({', '.join(name for name in self.sent if name in OF_AUTHORIZATION + OF_TOKEN_REQUEST)})"

    def get(self, name: str) -> str:
        """Return a parameter, "" when it is absent; raise invalid_request when it is repeated or malformed."""
        values = self.sent.get(name, ())
        if len(values) > 1:
            raise invalid_request(f"{name} is given twice.")
        return _checked(name, values[0]) if values else ""

    def every(self, name: str) -> tuple[str, ...]:
        """Return every value of a parameter that may repeat; raise invalid_request when one is malformed."""
        return tuple(_checked(name, value) for value in self.sent.get(name, ()))

    def check(self, names: Iterable[str]) -> None:
        """Raise invalid_request when one of these parameters is repeated or malformed."""
        for name in names:
            if name in REPEATABLE:
                self.every(name)
            else:
                self.get(name)

    def of_its_grant(self) -> "Parameters":
        """Return what a token request of this grant type reads, and nothing else: that isn't judged."""
        names = (*OF_CLIENT, "grant_type", *OF_GRANT.get(self.as_sent("grant_type"), ()))
        return Parameters({name: values for name, values in self.sent.items() if name in names})

    def required(self, name: str) -> str:
        """Return a parameter; raise invalid_request when it is absent."""
        value = self.get(name)
        if not value:
            raise invalid_request(f"{name} is missing.")
        return value

    def as_sent(self, name: str) -> str:
        """Return a parameter without a check, "" when it is absent or repeated."""
        values = self.sent.get(name, ())
        return values[0] if len(values) == 1 and isinstance(values[0], str) else ""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a client authenticates with: its id and, unless it is public, its secret."""

    client_id: str
    secret: str | None

    def __repr__(self) -> str:
        """Leave the secret out of logs and tracebacks."""
        return f"ClientCredentials({self.client_id})"


def of_query(pairs: Mapping[str, list[str]]) -> Parameters:
    """Return the parameters of a query string."""
    return _sent((name, value) for name, values in pairs.items() for value in values)


def of_body(raw: bytes | str, content_type: str) -> Parameters:
    """Return the parameters of a form or, as the published contract sends it, a JSON object of strings."""
    if len(raw) > BODY_BYTES_MAX:
        raise invalid_request("The body is too long.")
    # Bytes that are no UTF-8 stay as surrogates, which no parameter that is read may hold.
    text = raw.decode(errors="surrogateescape") if isinstance(raw, bytes) else raw
    try:
        if http_syntax.media_type(content_type) == JSON:
            return _of_json(text)
    except (ValueError, RecursionError):
        raise invalid_request("The body is not a JSON object of strings.") from None
    try:
        return _sent(parse_qsl(text, errors="surrogateescape", max_num_fields=FIELDS_MAX))
    except ValueError:
        raise invalid_request(f"The form has more than {FIELDS_MAX} parameters.") from None


def client_credentials(parameters: Parameters, authorization: str) -> ClientCredentials:
    """Return how the client authenticates: by HTTP Basic, or by parameters, never by both (RFC 6749 §2.3).

    Raises invalid_client when there is no client, or a Basic header that can't be read, invalid_request when two ways
    are mixed, or two ids differ.
    """
    posted_id, posted_secret = parameters.get("client_id"), parameters.get("client_secret")
    if not authorization:
        if not posted_id:
            raise invalid_client("The client must authenticate, or name itself with client_id.")
        return ClientCredentials(posted_id, posted_secret or None)
    client_id, secret = _basic(authorization)
    if posted_secret:
        raise invalid_request("The client authenticates twice: by HTTP Basic and by client_secret.")
    if posted_id and posted_id != client_id:
        raise invalid_request("client_id is not the one that authenticates.")
    return ClientCredentials(client_id, secret)


def scope_words(parameters: Parameters) -> set[str]:
    """Return the words of the scope parameter without OpenID Connect's, which are no scope when asked for alone."""
    return set(parameters.get("scope").split(" ")) - OPENID_SCOPES - {""}


def scope_of(parameters: Parameters) -> set[str]:
    """Return the scopes that are asked for, none when the parameter is absent; raise invalid_scope when malformed."""
    words = scope_words(parameters)
    if not all(_SCOPE.fullmatch(word) for word in words):
        raise OAuthError("invalid_scope", "scope must be words with spaces between them.")
    return words


def _basic(authorization: str) -> tuple[str, str]:
    scheme, encoded = http_syntax.credentials(authorization)
    if scheme != "basic":
        raise invalid_client("The client must authenticate by HTTP Basic or by parameters.")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        raise invalid_client("The Basic credentials can't be read.") from None
    client_id, colon, secret = text.partition(":")
    if not colon or not client_id or not secret or not _PRINTABLE.fullmatch(text):
        raise invalid_client("The Basic credentials can't be read.")
    # RFC 6749 §2.3.1 wants both form-encoded first. Ours survive that unchanged, so clients that forget are right too.
    return unquote_plus(client_id), unquote_plus(secret)


class _Pairs(list[tuple[str, object]]):
    """A JSON object, repeated names included."""


def _of_json(text: str) -> Parameters:
    # parse_int: Python refuses to read a very long whole number, though nothing may ever read it here.
    given = json_text.read(text, of_object=_Pairs, parse_int=float)
    if not isinstance(given, _Pairs):
        raise ValueError("not an object")
    return _sent((name, each) for name, value in given for each in _values(name, value))


def _values(name: str, value: object) -> Iterable[object]:
    """Return the values of one JSON field: a list repeats what may be repeated."""
    return value if name in REPEATABLE and isinstance(value, list) and not isinstance(value, _Pairs) else (value,)


def _sent(pairs: Iterable[tuple[str, object]]) -> Parameters:
    sent: dict[str, list[object]] = {}
    for name, value in pairs:
        is_absent = value == "" or (value is None and name not in _NEVER_ABSENT)
        if not is_absent:
            sent.setdefault(name, []).append(value)
    return Parameters(sent)


def _checked(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise invalid_request(f"{name} must be a string.")
    if not _PRINTABLE.fullmatch(value):
        raise invalid_request(f"{name} contains characters that are not allowed.")
    return value
