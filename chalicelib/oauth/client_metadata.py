"""Client metadata (RFC 7591 §2), as sent in a registration request or read from a metadata document.

Unknown fields are ignored, and `null` means that a field is absent. Unsupported values are dropped unless no value
would remain. The registration response contains the metadata that are in effect.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chalicelib.core import display_names, json_text
from chalicelib.core.errors import InvalidRequest
from chalicelib.oauth import clients
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.redirect_uris import BadRedirectURI

TEXT_MAX = 100
"""The maximum length of a text field. A longer name is an error. A longer client_uri is dropped, so the response omits
it.
"""
Fields = Mapping[str, Any]

# Spaces, quotes and other characters that a page or a log would have to escape are excluded.
_WEB_ADDRESS = re.compile(r"[^\s\"<>\\^`{|}\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Metadata:
    """Valid metadata, except for its redirect URIs, which are validated when they are stored."""

    name: str | None
    redirect_uris: list[str]
    auth_method: str
    grant_types: frozenset[str]
    scopes: frozenset[str]
    uri: str | None


def parse_fields(raw: bytes | str) -> Fields:
    """Return the fields of a JSON object, without those that are null.

    Raises OAuthError when the body is not an object, or repeats a name: another parser could read a different value.
    """
    try:
        parsed = json_text.read(raw, of_object=_reject_duplicates)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise _invalid("The body must be a JSON object without repeated names.")
    return {name: value for name, value in parsed.items() if value is not None}


def parse(fields: Fields, *, offered: tuple[str, ...], by_default: tuple[str, ...], auth_method: str) -> Metadata:
    """Return the metadata in `fields`; grant types that aren't `offered` are dropped.

    An absent field gets a default: `by_default` are the default grant types, `auth_method` is the default
    authentication method. Raises OAuthError with invalid_redirect_uri or invalid_client_metadata when a field has the
    wrong type or no supported value.
    """
    method = _text(fields, "token_endpoint_auth_method", auth_method)
    if method not in clients.AUTH_METHODS:
        raise _invalid("token_endpoint_auth_method is not supported.")
    grant_types = _supported_values(fields, "grant_types", offered, by_default)
    response_types = _words(fields, "response_types", ("code",))
    if clients.CODE in grant_types and response_types and "code" not in response_types:
        raise _invalid("response_types must include code.")
    return Metadata(
        name=_name(fields),
        redirect_uris=_redirect_uris(fields),
        auth_method=method,
        grant_types=frozenset(grant_types),
        # Unsupported scopes are dropped, because many clients request the scopes of OpenID Connect.
        scopes=frozenset(_text(fields, "scope").split(" ")) & clients.GRANTABLE or clients.GRANTABLE,
        uri=_web_address(fields, "client_uri"),
    )


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("repeated name")
    return fields


def _redirect_uris(fields: Fields) -> list[str]:
    uris = fields.get("redirect_uris", [])
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise OAuthError("invalid_redirect_uri", "redirect_uris must be a list of strings.")
    return uris


def _supported_values(
    fields: Fields, name: str, offered: tuple[str, ...], by_default: tuple[str, ...]
) -> tuple[str, ...]:
    words = _words(fields, name, by_default)
    supported = tuple(word for word in offered if word in words)
    if not supported:
        raise _invalid(f"{name} must include one of {', '.join(offered)}.")
    return supported


def _words(fields: Fields, name: str, by_default: tuple[str, ...]) -> frozenset[str]:
    words = fields.get(name, by_default)
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise _invalid(f"{name} must be a list of strings.")
    return frozenset(words)


def _text(fields: Fields, name: str, by_default: str = "") -> str:
    text = fields.get(name, by_default)
    if not isinstance(text, str) or not display_names.is_on_one_line(text):
        raise _invalid(f"{name} must be a single-line string without control characters.")
    return text


def _name(fields: Fields) -> str | None:
    """Return the client's display name; None if it is empty."""
    name = _text(fields, "client_name").strip()
    if problem := name_problem(name):
        raise _invalid(f"client_name {problem}.")
    return name or None


def name_problem(name: str) -> str | None:
    """Return why this text can't be a client's name, as a phrase to follow the field's name. Returns None if it can."""
    if len(name) > TEXT_MAX:
        return f"must be at most {TEXT_MAX} characters long"
    return display_names.find_problem(name) if name else None


def _web_address(fields: Fields, name: str) -> str | None:
    """Return an http or https URL; None for an empty or overlong one."""
    text = _text(fields, name).strip()
    if not text:
        return None
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        _ = parts.port  # raises ValueError for a port above 65535
    except ValueError:
        is_good = False
    if not is_good or not _WEB_ADDRESS.fullmatch(text) or display_names.find_problem(text) is not None:
        raise _invalid(f"{name} must be an http or https URL.")
    return text if len(text) <= TEXT_MAX else None


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", description)


def to_oauth_error(error: InvalidRequest) -> OAuthError:
    """Return the registration error (RFC 7591 §3.2.2) for metadata that can't be stored."""
    code = "invalid_redirect_uri" if isinstance(error, BadRedirectURI) else "invalid_client_metadata"
    return OAuthError(code, error.message)
