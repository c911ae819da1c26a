"""Clients that register themselves (RFC 7591) and manage what they registered (RFC 7592).

Such a client is unverified: the consent page says so. One that nobody ever approves is forgotten after a week.
"""

import hmac

from chalicelib.core import clock, http_syntax, secrets, settings
from chalicelib.core.dynamodb import models
from chalicelib.core.errors import InvalidRequest
from chalicelib.credentials import scopes
from chalicelib.oauth import client_metadata, clients
from chalicelib.oauth.client_metadata import Fields, Metadata
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.tables import Client

UNUSED_KEPT_S = 7 * 86_400
BODY_BYTES_MAX = 64 * 1024
REGISTRATION_KIND = "ra"
_TOKEN_MAX = 1_000
"""The initial token is the operator's own text: longer than a secret of ours, but no one's is longer than this."""
UNNAMED = "Unnamed application"
NEVER_REPLACED = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)
"""What a replacement must not hold (RFC 7592 §2.2): it is the server's to say."""


def may_register(authorization: str) -> None:
    """Raise OAuthError unless whoever asks may register a client: anybody, nobody, or holders of the initial token."""
    setting = settings.current().registration
    if setting == "open":
        return
    token = _bearer(authorization)
    # No token is none, also where the setting is the digest of an empty text.
    if setting == "closed" or not token or not hmac.compare_digest(secrets.digest(token), setting):
        raise _no_token()


def register(raw: bytes | str, base_url: str) -> dict[str, object]:
    """Store a client as it describes itself and return its information, secrets included this once."""
    described = _described(_fields(raw))
    token = secrets.mint(REGISTRATION_KIND)
    try:
        made = clients.register(
            name=described.name or UNNAMED,
            uris=described.redirect_uris,
            auth_method=described.auth_method,
            grant_types=set(described.grant_types),
            wanted=set(described.scopes),
            uri=described.uri,
            registered_by="self",
            registration_digest=secrets.digest(token),
            dies_at=clock.now_s() + UNUSED_KEPT_S,
        )
    except InvalidRequest as error:
        raise client_metadata.refusal_of(error) from None
    answer = information(made.client, token, base_url)
    if made.secret is not None:
        answer |= {"client_secret": made.secret, "client_secret_expires_at": 0}
    return answer


def authenticated(client_id: str, authorization: str) -> tuple[Client, str]:
    """Return the client that a registration token manages, its own and no other (RFC 7592 §2), and that token."""
    client, token = clients.find(client_id), _bearer(authorization)
    stored = client.registration_digest if client else None
    if client is None or stored is None or not hmac.compare_digest(stored, secrets.digest(token)):
        raise _no_token()
    return client, token


def replace(client: Client, token: str, raw: bytes | str, base_url: str) -> dict[str, object]:
    """Put another description in place of the client's (RFC 7592 §2.2). Whether it is public can't change."""
    given = _fields(raw)
    _check_own(client, given)
    described = _described(given)
    if (described.auth_method == "none") != client.is_public:
        raise _invalid("token_endpoint_auth_method can't change between none and a secret.")
    try:
        clients.check_uris_for(set(described.grant_types), described.redirect_uris)
        uris = clients.checked_uris(described.redirect_uris)
    except InvalidRequest as error:
        raise client_metadata.refusal_of(error) from None
    with models.refused_as(_no_token()):
        client.update(
            actions=[
                Client.name.set(described.name or UNNAMED),
                Client.redirect_uris.set(uris),
                Client.grant_types.set(set(described.grant_types)),
                Client.scopes.set(set(described.scopes)),
                Client.auth_method.set(described.auth_method),
                Client.uri.set(described.uri) if described.uri else Client.uri.remove(),
            ],
            condition=Client.deleted_at.does_not_exist() & Client.created_at.exists(),
        )
    return information(client, token, base_url)


def information(client: Client, token: str, base_url: str) -> dict[str, object]:
    """Return what is known of a client to the holder of its registration token (RFC 7591 §3.2.1, RFC 7592 §3)."""
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
        "registration_access_token": token,
    }
    return information | ({"client_uri": client.uri} if client.uri else {})


def _fields(raw: bytes | str) -> Fields:
    if len(raw) > BODY_BYTES_MAX:
        raise _invalid("The body is too long.")
    return client_metadata.fields_of(raw)


def _described(given: Fields) -> Metadata:
    """Return the described client, the defaults of RFC 7591 §2 filled in."""
    return client_metadata.read(
        given, offered=clients.SELF_REGISTRABLE, by_default=(clients.CODE,), auth_method=clients.CONFIDENTIAL_METHODS[0]
    )


def _check_own(client: Client, given: Fields) -> None:
    """Raise OAuthError unless a replacement names this very client, and nothing that isn't its to say."""
    if given.get("client_id") != client.client_id:
        raise _invalid("client_id must be the client's own.")
    forbidden = [name for name in NEVER_REPLACED if name in given]
    if forbidden:
        raise _invalid(f"{forbidden[0]} can't be replaced: leave it out.")
    secret = given.get("client_secret")
    if secret is not None and not (isinstance(secret, str) and clients.has_secret(client, secret)):
        raise _invalid("client_secret must be the client's own, or left out.")


def _bearer(authorization: str) -> str:
    scheme, token = http_syntax.credentials(authorization)
    return token if scheme == "bearer" and token.isascii() and len(token) <= _TOKEN_MAX else ""


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", description)


def _no_token() -> OAuthError:
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return OAuthError(
        "invalid_token", "A registration token is needed, and this is none.", status=401, headers=challenge
    )
