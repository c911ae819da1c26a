"""Discovery: the metadata of the authorization server (RFC 8414) and of the protected resource (RFC 9728)."""

from chalicelib.core import settings
from chalicelib.oauth import clients


def server_metadata(issuer: str) -> dict[str, object]:
    """Return the authorization server metadata."""
    has_registration = settings.current().registration != "closed"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        **({"registration_endpoint": f"{issuer}/oauth/register"} if has_registration else {}),
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "device_authorization_endpoint": f"{issuer}/oauth/device_authorization",
        "scopes_supported": sorted(clients.GRANTABLE),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        # RFC 8414 §2 requires every grant type of the token endpoint here, including client_credentials, which a
        # self-registered client can't use.
        "grant_types_supported": [*clients.SELF_REGISTRABLE, clients.CLIENT_CREDENTIALS],
        "token_endpoint_auth_methods_supported": list(clients.AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(clients.AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": list(clients.CONFIDENTIAL_METHODS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": clients.allows_metadata_documents(),
        "service_documentation": f"{issuer}/",
    }


def resource_metadata(resource: str, issuer: str) -> dict[str, object]:
    """Return the protected resource metadata of this API or of one of its paths."""
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": sorted(clients.GRANTABLE),
        "bearer_methods_supported": ["header"],
    }
