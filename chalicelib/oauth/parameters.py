"""Reading a request before any protocol does: one value a parameter, plain text, one way of authenticating.

Whatever is odd is refused here with a sentence, since libraries meet it as an exception or let it pass.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from chalicelib.core import http_syntax
from chalicelib.oauth.errors import OAuthError, invalid_client, invalid_request

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
BODY_BYTES_MAX = 64 * 1024
REPEATABLE = ("resource",)

# RFC 6749 appendix A: VSCHAR for ids and codes, NQCHAR with spaces for scope. State may hold anything printable.
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request, each once, but for those that may repeat."""

    values: Mapping[str, str]
    resources: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Name the parameters without their values: many are secrets."""
        return f"Parameters({', '.join(self.values)})"

    def get(self, name: str) -> str:
        """Return a parameter, "" when it is absent or empty (RFC 6749 §3.1: the two are the same)."""
        return self.values.get(name, "")

    def required(self, name: str) -> str:
        """Return a parameter; raise invalid_request when it is absent."""
        value = self.get(name)
        if not value:
            raise invalid_request(f"{name} is missing.")
        return value


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
    return _once((name, value) for name, values in pairs.items() for value in values)


def of_body(raw: bytes | str, content_type: str) -> Parameters:
    """Return the parameters of a form or, as the published contract sends it, a JSON object of strings."""
    if len(raw) > BODY_BYTES_MAX:
        raise invalid_request("The body is too long.")
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        if http_syntax.media_type(content_type) == JSON:
            return _of_json(text)
        return _once(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100))
    except (ValueError, RecursionError):
        raise invalid_request("The body is neither a form nor a JSON object of strings.") from None


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


def scope_of(parameters: Parameters) -> set[str]:
    """Return the scopes that are asked for, none when the parameter is absent; raise invalid_scope when malformed."""
    text = parameters.get("scope").strip(" ")
    if not text:
        return set()
    if not _SCOPE.fullmatch(text):
        raise OAuthError("invalid_scope", "scope must be words with one space between them.")
    return set(text.split(" "))


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
    given = json.loads(text, object_pairs_hook=_Pairs)
    if not isinstance(given, _Pairs):
        raise ValueError("no object")
    pairs: list[tuple[str, str]] = []
    for name, value in given:
        values = value if name in REPEATABLE and isinstance(value, list) else [value]
        for each in values:
            if not isinstance(each, str):
                raise invalid_request("Every parameter must be a string.")
            pairs.append((name, each))
    return _once(pairs)


def _once(pairs: Iterable[tuple[str, str]]) -> Parameters:
    values: dict[str, str] = {}
    resources: list[str] = []
    for name, value in pairs:
        if not _PRINTABLE.fullmatch(value) or not _PRINTABLE.fullmatch(name):
            raise invalid_request("A parameter holds characters that can't stand there.")
        if name in REPEATABLE:
            resources.append(value)
        elif name in values:
            raise invalid_request(f"{name[:40]} is given twice.".replace('"', "").replace("\\", ""))
        else:
            values[name] = value
    return Parameters(values, tuple(resources))
