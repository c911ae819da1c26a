"""Clients that register themselves (RFC 7591) and manage what they registered (RFC 7592).

Such a client is unverified: the consent page says so. One that nobody ever approves is forgotten after a week.
"""

import hmac
import json
from typing import Any

from chalicelib.core import clock, http_syntax, secrets, settings, tables
from chalicelib.core.errors import InvalidRequest
from chalicelib.credentials import scopes
from chalicelib.oauth import clients
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.tables import Client

UNUSED_KEPT_S = 7 * 86_400
BODY_BYTES_MAX = 64 * 1024
GRANT_TYPES = (clients.CODE, clients.REFRESH, clients.DEVICE)
"""Without client_credentials: nobody's account stands behind such a client, for its own requests to be counted on."""
REGISTRATION_KIND = "ra"
_TEXT_MAX = 100
_TOKEN_MAX = 1_000
"""The initial token is the operator's own text: longer than a secret of ours, but no one's is longer than this."""


def may_register(authorization: str) -> None:
    """Raise OAuthError unless whoever asks may register a client: anybody, nobody, or holders of the initial token."""
    setting = settings.current().registration
    if setting == "open":
        return
    presented = secrets.digest(_bearer(authorization))
    if setting == "closed" or not hmac.compare_digest(presented, setting):
        raise _no_token()


def register(raw: bytes | str, base_url: str) -> dict[str, object]:
    """Store a client as it describes itself and return its information, secrets included this once."""
    wanted = _metadata(raw)
    token = secrets.mint(REGISTRATION_KIND)
    try:
        made = clients.register(
            **wanted,
            registered_by="self",
            registration_digest=secrets.digest(token),
            dies_at=clock.now_s() + UNUSED_KEPT_S,
        )
    except InvalidRequest as error:
        raise _metadata_error(error) from None
    answer = information(made.client, base_url) | {"registration_access_token": token}
    if made.secret is not None:
        answer |= {"client_secret": made.secret, "client_secret_expires_at": 0}
    return answer


def authenticated(client_id: str, authorization: str) -> Client:
    """Return the client that a registration token manages: its own and no other (RFC 7592 §2)."""
    client = clients.find(client_id)
    stored = client.registration_digest if client else None
    if client is None or stored is None or not hmac.compare_digest(stored, secrets.digest(_bearer(authorization))):
        raise _no_token()
    return client


def replace(client: Client, raw: bytes | str, base_url: str) -> dict[str, object]:
    """Put another description in place of the client's (RFC 7592 §2.2). Whether it is public can't change."""
    wanted = _metadata(raw, client.client_id)
    if (wanted["auth_method"] == "none") != client.is_public:
        raise OAuthError(
            "invalid_client_metadata", "token_endpoint_auth_method can't change between none and a secret."
        )
    try:
        clients.check_uris_for(wanted["grant_types"], wanted["uris"])
        uris = clients.checked_uris(wanted["uris"])
    except InvalidRequest as error:
        raise _metadata_error(error) from None
    with tables.refused_as(_no_token()):
        client.update(
            actions=[
                Client.name.set(wanted["name"]),
                Client.redirect_uris.set(uris),
                Client.grant_types.set(wanted["grant_types"]),
                Client.scopes.set(wanted["wanted"] or set(clients.GRANTABLE)),
                Client.auth_method.set(wanted["auth_method"]),
                Client.uri.set(wanted["uri"]) if wanted["uri"] else Client.uri.remove(),
            ],
            condition=Client.deleted_at.does_not_exist() & Client.created_at.exists(),
        )
    return information(client, base_url)


def information(client: Client, base_url: str) -> dict[str, object]:
    """Return what is known of a client, without its secrets (RFC 7591 §3.2.1)."""
    information: dict[str, object] = {
        "client_id": client.client_id,
        "client_id_issued_at": client.created_at // 1000,
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": [kind for kind in clients.GRANT_TYPES if kind in client.grant_types],
        "response_types": ["code"] if clients.CODE in client.grant_types else [],
        "token_endpoint_auth_method": client.auth_method,
        "scope": scopes.joined(client.scopes),
        "registration_client_uri": f"{base_url}/oauth/register/{client.client_id}",
    }
    return information | ({"client_uri": client.uri} if client.uri else {})


def _metadata(raw: bytes | str, client_id: str | None = None) -> dict[str, Any]:
    """Return the described client, defaults filled in (RFC 7591 §2); what we don't know is ignored, as the RFC asks.

    With a `client_id` it describes a client that exists, and may name no other (RFC 7592 §2.2).
    """
    given = _object(raw)
    if client_id is not None and given.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_client_metadata", "client_id is another client's.")
    grant_types = _words(given, "grant_types", GRANT_TYPES, [clients.CODE])
    if clients.CODE in grant_types or given.get("response_types") != []:
        _words(given, "response_types", ("code",), ["code"])
    method = _text(given, "token_endpoint_auth_method", "client_secret_basic")
    if method not in clients.AUTH_METHODS:
        raise OAuthError("invalid_client_metadata", "token_endpoint_auth_method is unknown here.")
    uris = given.get("redirect_uris", [])
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise OAuthError("invalid_redirect_uri", "redirect_uris must be a list of strings.")
    return {
        "name": _text(given, "client_name", "")[:_TEXT_MAX] or "Unnamed application",
        "uris": uris,
        "auth_method": method,
        "grant_types": set(grant_types),
        # What isn't ours to give is left out, not refused: clients ask for OpenID's scopes by habit.
        "wanted": set(_text(given, "scope", "").split()) & clients.GRANTABLE,
        "uri": _text(given, "client_uri", "")[:_TEXT_MAX] or None,
    }


def _object(raw: bytes | str) -> dict[str, Any]:
    if len(raw) > BODY_BYTES_MAX:
        raise OAuthError("invalid_client_metadata", "The body is too long.")
    try:
        given = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise OAuthError("invalid_client_metadata", "The body must be a JSON object that names nothing twice.")
    return given


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name stands there twice")
    return fields


def _words(given: dict[str, Any], name: str, known: tuple[str, ...], default: list[str]) -> list[str]:
    words = given.get(name, default)
    if not isinstance(words, list) or not words or not all(word in known for word in words if isinstance(word, str)):
        raise OAuthError("invalid_client_metadata", f"{name} may hold {', '.join(known)} only.")
    if not all(isinstance(word, str) for word in words):
        raise OAuthError("invalid_client_metadata", f"{name} must be a list of strings.")
    return words


def _text(given: dict[str, Any], name: str, default: str) -> str:
    text = given.get(name, default)
    if not isinstance(text, str) or not text.isprintable():
        raise OAuthError("invalid_client_metadata", f"{name} must be a text on one line.")
    return text.strip()


def _metadata_error(error: InvalidRequest) -> OAuthError:
    about_uri = "redirect URI" in error.message
    description = error.message.replace('"', "").replace("\\", "")
    return OAuthError("invalid_redirect_uri" if about_uri else "invalid_client_metadata", description)


def _bearer(authorization: str) -> str:
    scheme, token = http_syntax.credentials(authorization)
    return token if scheme == "bearer" and token.isascii() and len(token) <= _TOKEN_MAX else ""


def _no_token() -> OAuthError:
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return OAuthError(
        "invalid_token", "A registration token is needed, and this is none.", status=401, headers=challenge
    )
