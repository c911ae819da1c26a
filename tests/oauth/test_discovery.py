"""Discovery: authorization server metadata (RFC 8414) and protected resource metadata (RFC 9728)."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from app import app
from chalicelib.core import settings
from tests.oauth.flow import ISSUER
from tests.support.harness import TestApp

SERVER, RESOURCE = "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"


def test_metadata_is_valid(latchkey: TestApp) -> None:
    """The metadata passes Authlib's validation of RFC 8414."""
    document = latchkey.call("GET", SERVER).json()
    AuthorizationServerMetadata(document).validate()


def test_metadata_is_complete(latchkey: TestApp) -> None:
    """The metadata is exactly this document, because clients rely on it."""
    response = latchkey.call("GET", SERVER)
    assert (response.status, response.header("Content-Type")) == (200, "application/json")
    assert response.header("Cache-Control") == "public, max-age=3600"
    assert response.json() == {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/oauth/authorize",
        "token_endpoint": f"{ISSUER}/oauth/token",
        "registration_endpoint": f"{ISSUER}/oauth/register",
        "revocation_endpoint": f"{ISSUER}/oauth/revoke",
        "introspection_endpoint": f"{ISSUER}/oauth/introspect",
        "device_authorization_endpoint": f"{ISSUER}/oauth/device_authorization",
        "scopes_supported": ["read", "write"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
            "client_credentials",
        ],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "service_documentation": f"{ISSUER}/",
    }


def test_every_advertised_endpoint_exists(latchkey: TestApp) -> None:
    """Every endpoint of the metadata has a route."""
    named = {name: url for name, url in latchkey.call("GET", SERVER).json().items() if name.endswith("_endpoint")}
    for name, url in named.items():
        methods = app.routes[urlsplit(url).path]
        assert ("GET" if name == "authorization_endpoint" else "POST") in methods, name


@pytest.mark.parametrize(("path", "resource"), [("", ISSUER), ("/v1", f"{ISSUER}/v1")])
def test_protected_resource_names_its_issuer(latchkey: TestApp, path: str, resource: str) -> None:
    """The metadata of the whole API and of the path /v1 name the authorization server."""
    response = latchkey.call("GET", f"{RESOURCE}{path}")
    assert (response.status, response.header("Content-Type")) == (200, "application/json")
    assert response.json() == {
        "resource": resource,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["read", "write"],
        "bearer_methods_supported": ["header"],
    }


def test_other_paths_have_no_metadata(latchkey: TestApp) -> None:
    """Any other metadata path is not found, because a client must reject metadata whose issuer or resource doesn't
    match the URL.
    """
    for path in (f"{SERVER}/api", f"{SERVER}/api.example.com", f"{RESOURCE}/v2", f"{RESOURCE}/api.example.com"):
        response = latchkey.call("GET", path)
        assert (response.status, response.json()["error"]) == (404, "not_found"), path


def test_issuer_with_a_path_is_found_in_both_forms(latchkey: TestApp) -> None:
    """RFC 8414 §3.1 inserts `.well-known` before the issuer's path, and OpenID Connect appends it; both URLs work."""
    with settings.override(replace(settings.current(), public_url=f"{ISSUER}/auth")):
        inserted, appended = latchkey.call("GET", f"{SERVER}/auth"), latchkey.call("GET", SERVER)
        assert inserted.json() == appended.json()
        AuthorizationServerMetadata(inserted.json()).validate()
        assert (inserted.status, inserted.json()["issuer"]) == (200, f"{ISSUER}/auth")
        assert inserted.json()["token_endpoint"] == f"{ISSUER}/auth/oauth/token"
        assert latchkey.call("GET", f"{RESOURCE}/v1").json()["resource"] == f"{ISSUER}/auth/v1"
        assert latchkey.call("GET", f"{SERVER}/oth").status == 404


def test_issuer_does_not_depend_on_request_headers(latchkey: TestApp) -> None:
    """Without a configured URL, the issuer is API Gateway's domain. The headers Host and Forwarded can't change it."""
    lies = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "Forwarded": "host=x",
    }
    with settings.override(replace(settings.current(), public_url="")):
        assert latchkey.call("GET", SERVER, headers=lies).json()["issuer"] == ISSUER
