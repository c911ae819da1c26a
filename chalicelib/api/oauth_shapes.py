"""What the authorization server's endpoints take and give, told to readers; `chalicelib.oauth` checks.

Written out here, since importing that package for its words would cost every cold start of the API.
"""

from chalicelib.api.schema.body import Form
from chalicelib.api.schema.fields import Enum
from chalicelib.api.schema.shapes import Boolean, Kind, Nullable, Number, Shape, String, StringList

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE)
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
SCOPES = ("read", "write")

_CLIENT: dict[str, Kind] = {
    "client_id": String("Which client asks, where it doesn't authenticate by HTTP Basic."),
    "client_secret": String("Its secret, where it doesn't authenticate by HTTP Basic and isn't public."),
}
_RESOURCE = String("For which resource the token is to be (RFC 8707); in a form it may be repeated.", format="uri")
_SCOPE = String("The scopes, with spaces between them.", "read write")

TOKEN_ASKED = Form(
    {"grant_type": Enum(GRANT_TYPES, description="What is given for the token.", example="client_credentials")},
    {
        "code": String("The authorization code, with the first grant type."),
        "redirect_uri": String("Where the code was sent to: the same as when it was asked for."),
        "code_verifier": String("What the code challenge was made from (PKCE, RFC 7636)."),
        "refresh_token": String("The refresh token, with the second grant type. It works once."),
        "device_code": String("The device's code, with the fourth grant type."),
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
        "token_type": Enum(("Bearer",), description="How to send it."),
        "expires_in": Number("How many seconds it works.", 3_600),
        "refresh_token": String("What gets the next one; it works once, and comes with a new one."),
        "scope": _SCOPE,
    },
    optional=("refresh_token",),
)

DEVICE_ASKED = Form({}, {"scope": _SCOPE, "resource": _RESOURCE, **_CLIENT})
DEVICE_OPENED = Shape(
    "DeviceAuthorization",
    "What a device shows, and what it polls with (RFC 8628 §3.2).",
    {
        "device_code": String("What the device polls the token endpoint with."),
        "user_code": String("What the person types.", "BCDF-GHJK"),
        "verification_uri": String("Where the person types it.", format="uri"),
        "verification_uri_complete": String("The same with the code filled in, for a QR code.", format="uri"),
        "expires_in": Number("How many seconds both codes work.", 600),
        "interval": Number("How many seconds to wait between two polls.", 5),
    },
)

TOKEN_TOLD = Form(
    {"token": String("The access token or the refresh token.")},
    {"token_type_hint": String("What it is; a hint that isn't needed."), **_CLIENT},
)
REVOKED = Shape("Revoked", "Nothing: the token works no more.", {})
INTROSPECTED = Shape(
    "Introspection",
    "What a token is good for (RFC 7662 §2.2). Of one that isn't, or isn't the client's own, only `active` is told.",
    {
        "active": Boolean("Whether it works now."),
        "scope": _SCOPE,
        "client_id": String("Which client holds it."),
        "token_type": Enum(("Bearer",), description="How an access token is sent. A refresh token has none."),
        "exp": Number("When it ends, in epoch seconds.", 1_640_003_600),
        "iat": Number("When it was made, in epoch seconds.", 1_640_000_000),
        "sub": String("The account that it speaks for.", "acc_0V5kqWn4Zr8TfYb2LcXd"),
        "iss": String("Who made it.", format="uri"),
        "aud": StringList("For which resources it is, where any were named."),
    },
    optional=("scope", "client_id", "token_type", "exp", "iat", "sub", "iss", "aud"),
)

_METADATA: dict[str, Kind] = {
    "client_name": String("What people are shown: at most 100 characters on one line.", "Example App"),
    "redirect_uris": StringList(
        "Where codes may be sent to, each to the letter.", example=("https://app.test/callback",)
    ),
    "grant_types": StringList("What it may give for tokens.", GRANT_TYPES, ("authorization_code", "refresh_token")),
    "response_types": StringList("`code`, or nothing for a client that never asks for one.", ("code",), ("code",)),
    "token_endpoint_auth_method": Enum(AUTH_METHODS, description="How it authenticates; `none` for a public client."),
    "scope": _SCOPE,
    "client_uri": String("Its home page, an http or https URL; one of more than 100 characters is dropped."),
}
_DESCRIBED: dict[str, Kind] = {
    **_METADATA,
    "grant_types": StringList(
        "What it may give for tokens. What isn't supported is left out; the answer says what is in effect.",
        example=("authorization_code", "refresh_token"),
    ),
    "response_types": StringList("What it asks for: `code`. What isn't supported is left out.", example=("code",)),
}
CLIENT_DESCRIBED = Form({}, {name: Nullable(kind) for name, kind in _DESCRIBED.items()})
CLIENT_REPLACED = Form({"client_id": String("The client's own id.")}, CLIENT_DESCRIBED.optional)
CLIENT = Shape(
    "Client",
    "A client, as it is registered (RFC 7591 §3.2.1).",
    {
        "client_id": String("Its id.", "app_0V5kqWn4Zr8TfYb2LcXd"),
        "client_id_issued_at": Number("When it was registered, in epoch seconds.", 1_640_000_000),
        **_METADATA,
        "registration_client_uri": String("Where it may show, change or delete itself (RFC 7592).", format="uri"),
        "registration_access_token": String("What the client shows, changes or deletes itself with."),
    },
    optional=("client_uri",),
)
CLIENT_MADE = Shape(
    "ClientMade",
    "A new client, with its secrets this once.",
    {
        **CLIENT.fields,
        "client_secret": String("What it authenticates with, unless it is public."),
        "client_secret_expires_at": Number("Always 0: its secret doesn't expire.", 0),
    },
    optional=("client_uri", "client_secret", "client_secret_expires_at"),
)

OAUTH_ERROR = Shape(
    "OAuthError",
    "A refusal in OAuth's form (RFC 6749 §5.2).",
    {
        "error": String("The registered code.", "invalid_grant"),
        "error_description": String("What was wrong, for people.", "The code or token is invalid."),
        "message": String("The same, where a limit is spent."),
    },
    optional=("message",),
)

_ENDPOINT = String(format="uri")
AUTHORIZATION_SERVER = Shape(
    "AuthorizationServer",
    "The authorization server's metadata (RFC 8414 §2).",
    {
        "issuer": String("Who makes the tokens.", format="uri"),
        "authorization_endpoint": String("Where to send people.", format="uri"),
        **{
            f"{name}_endpoint": _ENDPOINT
            for name in ("token", "registration", "revocation", "introspection", "device_authorization")
        },
        "scopes_supported": StringList("The scopes that people can allow.", SCOPES, SCOPES),
        "response_types_supported": StringList(values=("code",)),
        "response_modes_supported": StringList(values=("query",)),
        "grant_types_supported": StringList(values=GRANT_TYPES),
        **{
            f"{name}_endpoint_auth_methods_supported": StringList(values=AUTH_METHODS)
            for name in ("token", "revocation", "introspection")
        },
        "code_challenge_methods_supported": StringList(values=("S256",)),
        "authorization_response_iss_parameter_supported": Boolean(fixed=True),
        "client_id_metadata_document_supported": Boolean(
            "Whether the URL of a metadata document can be a client's id."
        ),
        "service_documentation": String("Where to read on.", format="uri"),
    },
    optional=("registration_endpoint",),
)
PROTECTED_RESOURCE = Shape(
    "ProtectedResource",
    "This API's metadata (RFC 9728 §2).",
    {
        "resource": String("What the tokens are for.", format="uri"),
        "authorization_servers": StringList("Who makes them."),
        "scopes_supported": StringList("The scopes that people can allow.", SCOPES, SCOPES),
        "bearer_methods_supported": StringList("How to send them.", ("header",), ("header",)),
    },
)
