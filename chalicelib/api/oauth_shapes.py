"""Schemas of the authorization server's endpoints, for documentation only: `chalicelib.oauth` checks the requests.

The values are literals, because importing them from `chalicelib.oauth` would slow down cold starts.
"""

from chalicelib.api.schema.body import Form
from chalicelib.api.schema.fields import Enum
from chalicelib.api.schema.shapes import Boolean, Kind, Nullable, Number, Shape, String, StringList

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE)
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
SCOPES = ("read", "write")

_CLIENT: dict[str, Kind] = {
    "client_id": String("The client's id, unless it authenticates by HTTP Basic."),
    "client_secret": String("The client's secret, unless it authenticates by HTTP Basic or is public."),
}
_RESOURCE = String("The resource that the token is for (RFC 8707); may be repeated in a form.", format="uri")
_SCOPE = String("Space-separated scopes.", "read write")

TOKEN_REQUEST = Form(
    {"grant_type": Enum(GRANT_TYPES, description="The grant type.", example="client_credentials")},
    {
        "code": String("The authorization code, for authorization_code."),
        "redirect_uri": String("The redirect URI of the authorization request."),
        "code_verifier": String("The PKCE code verifier (RFC 7636)."),
        "refresh_token": String("The refresh token, for refresh_token. It can be used once."),
        "device_code": String("The device code, for the device flow."),
        "scope": _SCOPE,
        "resource": _RESOURCE,
        **_CLIENT,
    },
)
TOKEN = Shape(
    "Token",
    "An access token (RFC 6749 §5.1).",
    {
        "access_token": String("What to send as `Authorization: Bearer …`."),
        "token_type": Enum(("Bearer",), description="The token type."),
        "expires_in": Number("Lifetime in seconds.", 3_600),
        "refresh_token": String("The refresh token. It can be used once and is replaced each time."),
        "scope": _SCOPE,
    },
    optional=("refresh_token",),
)

DEVICE_REQUEST = Form({}, {"scope": _SCOPE, "resource": _RESOURCE, **_CLIENT})
DEVICE_AUTHORIZATION = Shape(
    "DeviceAuthorization",
    "The device authorization response (RFC 8628 §3.2).",
    {
        "device_code": String("The device code, for polling the token endpoint."),
        "user_code": String("The code that the user types.", "BCDF-GHJK"),
        "verification_uri": String("The page where the user types it.", format="uri"),
        "verification_uri_complete": String("The same with the code filled in, for a QR code.", format="uri"),
        "expires_in": Number("Lifetime of both codes in seconds.", 600),
        "interval": Number("Seconds between two polls.", 5),
    },
)

TOKEN_LOOKUP = Form(
    {"token": String("The access token or the refresh token.")},
    {"token_type_hint": String("A hint about the token type; ignored."), **_CLIENT},
)
REVOKED = Shape("Revoked", "An empty object: the token is revoked.", {})
INTROSPECTED = Shape(
    "Introspection",
    "The introspection response (RFC 7662 §2.2); only `active` for a token that is inactive or another client's.",
    {
        "active": Boolean("Whether the token is active."),
        "scope": _SCOPE,
        "client_id": String("The client that it was issued to."),
        "token_type": Enum(("Bearer",), description="The type of an access token; absent for a refresh token."),
        "exp": Number("Expiry, in epoch seconds.", 1_640_003_600),
        "iat": Number("Time of issue, in epoch seconds.", 1_640_000_000),
        "sub": String("The user who approved, or the account's service user.", "usr_0V5kqWn4Zr8TfYb2LcXd"),
        "account_id": String("The account that the token gives access to.", "acc_0V5kqWn4Zr8TfYb2LcXd"),
        "iss": String("The issuer.", format="uri"),
        "aud": StringList("The resources that it was issued for, if any."),
    },
    optional=("scope", "client_id", "token_type", "exp", "iat", "sub", "account_id", "iss", "aud"),
)

_METADATA: dict[str, Kind] = {
    "client_name": String("The name shown to users: at most 100 characters on one line.", "Example App"),
    "redirect_uris": StringList("The redirect URIs, compared exactly.", example=("https://app.test/callback",)),
    "grant_types": StringList("The grant types it may use.", GRANT_TYPES, ("authorization_code", "refresh_token")),
    "response_types": StringList("`code`, or empty for a client without the code flow.", ("code",), ("code",)),
    "token_endpoint_auth_method": Enum(
        AUTH_METHODS, description="The authentication method; `none` for a public client."
    ),
    "scope": _SCOPE,
    "client_uri": String("Its home page, an http or https URL of at most 100 characters; a longer one is ignored."),
}
_CLIENT_METADATA: dict[str, Kind] = {
    **_METADATA,
    "grant_types": StringList(
        "The grant types. Unsupported ones are ignored; the response has those in effect.",
        example=("authorization_code", "refresh_token"),
    ),
    "response_types": StringList("The response types: `code`. Unsupported ones are ignored.", example=("code",)),
}
CLIENT_REGISTRATION = Form({}, {name: Nullable(kind) for name, kind in _CLIENT_METADATA.items()})
CLIENT_REPLACEMENT = Form({"client_id": String("The client's own id.")}, CLIENT_REGISTRATION.optional_fields)
CLIENT = Shape(
    "Client",
    "A registered client (RFC 7591 §3.2.1).",
    {
        "client_id": String("The client's id.", "app_0V5kqWn4Zr8TfYb2LcXd"),
        "client_id_issued_at": Number("Time of registration, in epoch seconds.", 1_640_000_000),
        **_METADATA,
        "registration_client_uri": String("The client configuration endpoint (RFC 7592).", format="uri"),
        "registration_access_token": String("The registration access token."),
    },
    optional=("client_uri",),
)
CLIENT_CREATED = Shape(
    "ClientMade",
    "A new client with its secrets, which are shown once.",
    {
        **CLIENT.fields,
        "client_secret": String("The client secret, unless it is public."),
        "client_secret_expires_at": Number("Always 0: the secret doesn't expire.", 0),
    },
    optional=("client_uri", "client_secret", "client_secret_expires_at"),
)

OAUTH_ERROR = Shape(
    "OAuthError",
    "An OAuth error response (RFC 6749 §5.2).",
    {
        "error": String("The error code.", "invalid_grant"),
        "error_description": String("A description for developers.", "The code or token is invalid."),
        "message": String("The same, if a limit is exhausted."),
    },
    optional=("message",),
)

_ENDPOINT = String(format="uri")
AUTHORIZATION_SERVER = Shape(
    "AuthorizationServer",
    "The authorization server's metadata (RFC 8414 §2).",
    {
        "issuer": String("The issuer.", format="uri"),
        "authorization_endpoint": String("The authorization endpoint.", format="uri"),
        **{
            f"{name}_endpoint": _ENDPOINT
            for name in ("token", "registration", "revocation", "introspection", "device_authorization")
        },
        "scopes_supported": StringList("The scopes that users can grant.", SCOPES, SCOPES),
        "response_types_supported": StringList(values=("code",)),
        "response_modes_supported": StringList(values=("query",)),
        "grant_types_supported": StringList(values=GRANT_TYPES),
        **{
            f"{name}_endpoint_auth_methods_supported": StringList(values=AUTH_METHODS)
            for name in ("token", "revocation", "introspection")
        },
        "code_challenge_methods_supported": StringList(values=("S256",)),
        "authorization_response_iss_parameter_supported": Boolean(fixed=True),
        "client_id_metadata_document_supported": Boolean("Whether a client_id may be the URL of a metadata document."),
        "service_documentation": String("The developer documentation.", format="uri"),
    },
    optional=("registration_endpoint",),
)
PROTECTED_RESOURCE = Shape(
    "ProtectedResource",
    "This API's metadata (RFC 9728 §2).",
    {
        "resource": String("The resource.", format="uri"),
        "authorization_servers": StringList("The authorization servers."),
        "scopes_supported": StringList("The scopes that users can grant.", SCOPES, SCOPES),
        "bearer_methods_supported": StringList("How to send an access token.", ("header",), ("header",)),
    },
)
