"""Measure the token and introspection endpoints of Authlib on Flask in their fastest setup, with PKCE.

The endpoints are configured as Authlib's documentation shows. Requests go through Flask's WSGI application in this
process, without socket, middleware, debugging or logging. Codes and tokens are stored in in-memory SQLite through
SQLAlchemy, or in dictionaries if BENCH_STORE is `dict`. Refresh tokens rotate: a used refresh token is marked as
revoked. The codes and refresh tokens to be exchanged are stored before the measured time starts.
"""

import base64
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7636 import CodeChallenge, create_s256_code_challenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask, Response

from infra.bench.contender import Work, serve
from infra.bench.contenders.oauth_authlib_stores import (
    CALLBACK,
    CLIENT_ID,
    EXPIRES_IN_S,
    GRANT_TYPES,
    Store,
    dictionary_store,
    new_token,
)
from infra.bench.wsgi import Environ, environ

AUTH_METHODS = ["client_secret_basic"]
CLIENT_SECRET = secrets.token_urlsafe(32)
ISSUER = "https://auth.example.com"
VERIFIER = secrets.token_urlsafe(32)
CHALLENGE: str = create_s256_code_challenge(VERIFIER)


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of request, and a text that every successful response contains."""

    environ: Callable[[], Environ]
    expected: bytes


def main() -> None:
    """Measure the operation that the argument selects."""
    store = _store()
    app = _app(store)
    operation = _operations(store)[sys.argv[1]]

    def prepare(count: int) -> Sequence[Environ]:
        environs = [operation.environ() for _ in range(count)]
        store.end()
        return environs

    def operate(environ: Environ) -> bool:
        return send(app, environ, operation.expected)

    serve(Work(operate, prepare))


def send(app: Flask, environ: Environ, expected: bytes) -> bool:
    """Send a request; raise AssertionError unless the response is 200 and contains the expected text."""
    statuses: list[str] = []

    def start(status: str, _headers: Any, _error: Any = None) -> Any:
        statuses.append(status)

    response: Any = app.wsgi_app(environ, start)
    body = b"".join(response)
    response.close()
    if not statuses[0].startswith("200") or expected not in body:
        raise AssertionError(f"{statuses[0]} {body!r}")
    return True


def _store() -> Store:
    if os.environ.get("BENCH_STORE") == "dict":
        return dictionary_store(CLIENT_SECRET)
    from infra.bench.contenders.oauth_authlib_sqlite import sqlite_store

    return sqlite_store(CLIENT_SECRET)


def _operations(store: Store) -> dict[str, Operation]:
    def code() -> Environ:
        new_code = secrets.token_urlsafe(32)
        store.put_code(new_code, CHALLENGE)
        return _token("authorization_code", code=new_code, redirect_uri=CALLBACK, code_verifier=VERIFIER)

    def refresh() -> Environ:
        tokens = new_token()
        store.put_token(tokens)
        return _token("refresh_token", refresh_token=tokens["refresh_token"])

    introspected = new_token()
    store.put_token(introspected)
    parameters = {"token": introspected["access_token"], "token_type_hint": "access_token"}
    return {
        "client_credentials": Operation(lambda: _token("client_credentials", scope="read"), b'"access_token"'),
        "code": Operation(code, b'"refresh_token"'),
        "refresh": Operation(refresh, b'"refresh_token"'),
        "introspect": Operation(lambda: _post("/introspect", parameters), b'"active": true'),
    }


def _app(store: Store) -> Flask:
    app = Flask(__name__)
    app.config.update(
        # Replace Authlib's default generator, which is slower, because it makes a system call for every character.
        OAUTH2_ACCESS_TOKEN_GENERATOR=_secret,
        OAUTH2_REFRESH_TOKEN_GENERATOR=_secret,
        OAUTH2_TOKEN_EXPIRES_IN=dict.fromkeys(GRANT_TYPES, EXPIRES_IN_S),
    )
    server = AuthorizationServer(app, query_client=store.client, save_token=store.save_token)
    server.register_grant(grants.ClientCredentialsGrant)
    server.register_grant(_code_grant(store), [CodeChallenge(required=True)])
    server.register_grant(_refresh_grant(store))
    server.register_endpoint(_introspection(store))
    app.teardown_appcontext(lambda _error: store.end())

    @app.post("/token")
    def token() -> Response:
        response: Response = server.create_token_response()
        return response

    @app.post("/introspect")
    def introspect() -> Response:
        response: Response = server.create_endpoint_response("introspection")
        return response

    return app


def _code_grant(store: Store) -> type:
    class Code(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
        TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

        def query_authorization_code(self, code: str, client: Any) -> Any:
            return store.code(code, client.get_client_id())

        def delete_authorization_code(self, authorization_code: Any) -> None:
            store.delete_code(authorization_code)

        def authenticate_user(self, authorization_code: Any) -> Any:
            return store.user(authorization_code.user_id)

    return Code


def _refresh_grant(store: Store) -> type:
    class Refresh(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
        TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Any:
            token = store.token(refresh_token, "refresh_token")
            return token if token and not token.refresh_token_revoked_at else None

        def authenticate_user(self, refresh_token: Any) -> Any:
            return store.user(refresh_token.user_id)

        def revoke_old_credential(self, refresh_token: Any) -> None:
            store.revoke(refresh_token)

    return Refresh


def _introspection(store: Store) -> type:
    class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib has no types
        CLIENT_AUTH_METHODS = AUTH_METHODS

        def query_token(self, token_string: str, token_type_hint: str | None) -> Any:
            return store.token(token_string, token_type_hint or "access_token")

        def check_permission(self, token: Any, client: Any, request: Any) -> bool:  # noqa: ARG002 - Authlib names it
            return bool(token.check_client(client))

        def introspect_token(self, token: Any) -> dict[str, object]:
            return {
                "active": True,
                "client_id": token.client_id,
                "exp": token.issued_at + token.expires_in,
                "iat": token.issued_at,
                "iss": ISSUER,
                "scope": token.get_scope(),
                "sub": str(token.user_id),
                "token_type": token.token_type,
            }

    return Introspection


def _secret(**_of: Any) -> str:
    return secrets.token_urlsafe(32)


def _token(grant_type: str, **more: str) -> Environ:
    return _post("/token", {"grant_type": grant_type, **more})


def _post(path: str, parameters: dict[str, str]) -> Environ:
    body = urlencode(parameters).encode()
    credentials = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    form = {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/x-www-form-urlencoded"}
    return environ("POST", path, "auth.example.com", f"Basic {credentials}", body) | form


if __name__ == "__main__":
    main()
