"""What a client says of itself (RFC 7591 §2), in a registration and in a metadata document alike.

Only what is read is judged: any other field may hold anything. `null` is absent. What we don't have is left out while
something is left, and the answer says what is in effect.
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
"""A longer name is refused; a longer address is left out, and so missing in the answer."""
Fields = Mapping[str, Any]

# Without spaces, quotes and what else a page or a log would have to escape.
_WEB_ADDRESS = re.compile(r"[^\s\"<>\\^`{|}\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Metadata:
    """A description that could be registered but for its redirect URIs, which are judged where they are stored."""

    name: str | None
    redirect_uris: list[str]
    auth_method: str
    grant_types: frozenset[str]
    scopes: frozenset[str]
    uri: str | None


def fields_of(raw: bytes | str) -> Fields:
    """Return the fields of a JSON object, those that are null left out.

    Raises OAuthError when it is none, or names something twice: two readers could take it for two clients.
    """
    try:
        given = json_text.read(raw, of_object=_once)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise _invalid("The body must be a JSON object that names nothing twice.")
    return {name: value for name, value in given.items() if value is not None}


def read(given: Fields, *, offered: tuple[str, ...], by_default: tuple[str, ...], auth_method: str) -> Metadata:
    """Return what `given` says, of grant types no more than are `offered`.

    Where it says nothing, `by_default` and `auth_method` hold. Raises OAuthError with invalid_redirect_uri or
    invalid_client_metadata when a field is of the wrong kind, or nothing is left of it.
    """
    method = _text(given, "token_endpoint_auth_method", auth_method)
    if method not in clients.AUTH_METHODS:
        raise _invalid("token_endpoint_auth_method is unknown here.")
    grant_types = _narrowed(given, "grant_types", offered, by_default)
    response_types = _words(given, "response_types", ("code",))
    if clients.CODE in grant_types and response_types and "code" not in response_types:
        raise _invalid("response_types must hold code.")
    return Metadata(
        name=_name(given),
        redirect_uris=_redirect_uris(given),
        auth_method=method,
        grant_types=frozenset(grant_types),
        # Clients ask for OpenID's scopes by habit.
        scopes=frozenset(_text(given, "scope").split(" ")) & clients.GRANTABLE or clients.GRANTABLE,
        uri=_web_address(given, "client_uri"),
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name stands there twice")
    return fields


def _redirect_uris(given: Fields) -> list[str]:
    uris = given.get("redirect_uris", [])
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise OAuthError("invalid_redirect_uri", "redirect_uris must be a list of strings.")
    return uris


def _narrowed(given: Fields, name: str, offered: tuple[str, ...], by_default: tuple[str, ...]) -> tuple[str, ...]:
    words = _words(given, name, by_default)
    left = tuple(word for word in offered if word in words)
    if not left:
        raise _invalid(f"{name} must hold one of {', '.join(offered)}.")
    return left


def _words(given: Fields, name: str, by_default: tuple[str, ...]) -> frozenset[str]:
    words = given.get(name, by_default)
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise _invalid(f"{name} must be a list of strings.")
    return frozenset(words)


def _text(given: Fields, name: str, by_default: str = "") -> str:
    text = given.get(name, by_default)
    if not isinstance(text, str) or not display_names.is_on_one_line(text):
        raise _invalid(f"{name} must be a string on one line, without control characters.")
    return text


def _name(given: Fields) -> str | None:
    """Return the name that people are shown, None for an empty one."""
    name = _text(given, "client_name").strip()
    if problem := name_problem(name):
        raise _invalid(f"client_name {problem}.")
    return name or None


def name_problem(name: str) -> str | None:
    """Return why a client can't be called this, to go behind what it is called; None when it can, or has no name."""
    if len(name) > TEXT_MAX:
        return f"must be at most {TEXT_MAX} characters long"
    return display_names.problem(name) if name else None


def _web_address(given: Fields, name: str) -> str | None:
    """Return an http or https URL; None for an empty or an over-long one."""
    text = _text(given, name).strip()
    if not text:
        return None
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        _ = parts.port  # one beyond 65535 is found only by asking for it
    except ValueError:
        is_good = False
    if not is_good or not _WEB_ADDRESS.fullmatch(text) or display_names.problem(text) is not None:
        raise _invalid(f"{name} must be an http or https URL.")
    return text if len(text) <= TEXT_MAX else None


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", description)


def refusal_of(error: InvalidRequest) -> OAuthError:
    """Return in OAuth's form why a description can't be stored (RFC 7591 §3.2.2)."""
    code = "invalid_redirect_uri" if isinstance(error, BadRedirectURI) else "invalid_client_metadata"
    return OAuthError(code, error.message)
