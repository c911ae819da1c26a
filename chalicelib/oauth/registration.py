"""Dynamic client registration (RFC 7591) and its management (RFC 7592).

A self-registered client is unverified, and the consent page says so. A client that no account approves is deleted after
a week.
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
"""The maximum length of an initial access token. The operator chooses this token, so it may be longer than a generated
secret.
"""
UNNAMED = "Unnamed application"
READ_ONLY_FIELDS = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)
"""Fields that an update request must not contain (RFC 7592 §2.2): only the server sets them."""


def check_may_register(authorization: str) -> None:
    """Raise OAuthError unless the setting `registration` allows the caller to register a client.

    The setting allows every caller, no caller, or callers with the initial access token (RFC 7591 §3).
    """
    setting = settings.current().registration
    if setting == "open":
        return
    token = _read_bearer(authorization)
    # Reject a missing token explicitly, because the setting could be the digest of an empty text.
    if setting == "closed" or not token or not hmac.compare_digest(secrets.digest(token), setting):
        raise _invalid_token()


def register(raw: bytes | str, base_url: str) -> dict[str, object]:
    """Register a client and return the client information response (RFC 7591 §3.2.1), with its secrets."""
    metadata = _read(_fields(raw))
    token = secrets.mint(REGISTRATION_KIND)
    try:
        new = clients.register(
            name=metadata.name or UNNAMED,
            uris=metadata.redirect_uris,
            auth_method=metadata.auth_method,
            grant_types=set(metadata.grant_types),
            wanted=set(metadata.scopes),
            uri=metadata.uri,
            registered_by="self",
            registration_digest=secrets.digest(token),
            dies_at=clock.now_s() + UNUSED_KEPT_S,
        )
    except InvalidRequest as error:
        raise client_metadata.to_oauth_error(error) from None
    response = build_information(new.client, token, base_url)
    if new.secret is not None:
        response |= {"client_secret": new.secret, "client_secret_expires_at": 0}
    return response


def authenticate(client_id: str, authorization: str) -> tuple[Client, str]:
    """Return the client with this id, and the registration access token that authenticates it (RFC 7592 §2)."""
    client, token = clients.find(client_id), _read_bearer(authorization)
    stored = client.registration_digest if client else None
    if client is None or stored is None or not hmac.compare_digest(stored, secrets.digest(token)):
        raise _invalid_token()
    return client, token


def replace(client: Client, token: str, raw: bytes | str, base_url: str) -> dict[str, object]:
    """Replace a client's metadata (RFC 7592 §2.2).

    A public client can't become confidential, nor a confidential client public.
    """
    fields = _fields(raw)
    _check_identity(client, fields)
    metadata = _read(fields)
    if (metadata.auth_method == "none") != client.is_public:
        raise _invalid("token_endpoint_auth_method can't change from or to none.")
    try:
        clients.check_has_redirect_uri(set(metadata.grant_types), metadata.redirect_uris)
        uris = clients.validate_redirect_uris(metadata.redirect_uris)
    except InvalidRequest as error:
        raise client_metadata.to_oauth_error(error) from None
    with models.raise_on_condition_failure(_invalid_token()):
        client.update(
            actions=[
                Client.name.set(metadata.name or UNNAMED),
                Client.redirect_uris.set(uris),
                Client.grant_types.set(set(metadata.grant_types)),
                Client.scopes.set(set(metadata.scopes)),
                Client.auth_method.set(metadata.auth_method),
                Client.uri.set(metadata.uri) if metadata.uri else Client.uri.remove(),
            ],
            condition=Client.deleted_at.does_not_exist() & Client.created_at.exists(),
        )
    return build_information(client, token, base_url)


def build_information(client: Client, token: str, base_url: str) -> dict[str, object]:
    """Return the client information response (RFC 7591 §3.2.1, RFC 7592 §3)."""
    information: dict[str, object] = {
        "client_id": client.client_id,
        "client_id_issued_at": client.created_at // 1000,
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": [kind for kind in clients.GRANT_TYPES if kind in client.grant_types],
        "response_types": ["code"] if clients.CODE in client.grant_types else [],
        "token_endpoint_auth_method": client.auth_method,
        "scope": scopes.join(client.scopes),
        "registration_client_uri": f"{base_url}/oauth/register/{client.client_id}",
        "registration_access_token": token,
    }
    return information | ({"client_uri": client.uri} if client.uri else {})


def _fields(raw: bytes | str) -> Fields:
    if len(raw) > BODY_BYTES_MAX:
        raise _invalid("The body is too long.")
    return client_metadata.parse_fields(raw)


def _read(fields: Fields) -> Metadata:
    """Return the metadata of a request. Absent fields get the defaults of RFC 7591 §2."""
    return client_metadata.parse(
        fields,
        offered=clients.SELF_REGISTRABLE,
        by_default=(clients.CODE,),
        auth_method=clients.CONFIDENTIAL_METHODS[0],
    )


def _check_identity(client: Client, fields: Fields) -> None:
    """Raise OAuthError unless an update request names this client and omits read-only fields."""
    if fields.get("client_id") != client.client_id:
        raise _invalid("client_id must be the id of this client.")
    forbidden = [name for name in READ_ONLY_FIELDS if name in fields]
    if forbidden:
        raise _invalid(f"{forbidden[0]} can't be changed. Leave it out.")
    secret = fields.get("client_secret")
    if secret is not None and not (isinstance(secret, str) and clients.has_secret(client, secret)):
        raise _invalid("client_secret must be the current secret or left out.")


def _read_bearer(authorization: str) -> str:
    scheme, token = http_syntax.credentials(authorization)
    return token if scheme == "bearer" and token.isascii() and len(token) <= _TOKEN_MAX else ""


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", description)


def _invalid_token() -> OAuthError:
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return OAuthError(
        "invalid_token", "The registration access token is missing or invalid.", status=401, headers=challenge
    )
