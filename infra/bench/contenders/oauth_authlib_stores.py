"""The storage interface of the Authlib benchmark, and its fastest implementation: dictionaries in this process."""

import secrets
import time
from dataclasses import dataclass
from typing import Any, Protocol

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin

CALLBACK = "https://app.example.com/cb"
CLIENT_ID = "bench"
EXPIRES_IN_S = 3_600
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
SCOPE = "read write"
USER_ID = 1

Json = dict[str, Any]


class Store(Protocol):
    """Storage of one client, one user, codes and tokens."""

    def client(self, client_id: str) -> Any:
        """Return the client with this id."""

    def user(self, user_id: int) -> Any:
        """Return the user with this id."""

    def code(self, code: str, client_id: str) -> Any:
        """Return a client's authorization code, None if it has expired or doesn't exist."""

    def delete_code(self, code: Any) -> None:
        """Delete a used code."""

    def token(self, secret: str, kind: str) -> Any:
        """Return the record of an access token or of a refresh token; `kind` selects which."""

    def save_token(self, token: Json, request: Any) -> None:
        """Store newly issued tokens."""

    def revoke(self, token: Any) -> None:
        """Revoke a used refresh token and its access token."""

    def put_code(self, code: str, challenge: str) -> None:
        """Store a code as if the user had given consent."""

    def put_token(self, token: Json) -> None:
        """Store tokens as if a code had been exchanged for them."""

    def end(self) -> None:
        """End the database session of a request."""


def new_token() -> Json:
    """Return an access and a refresh token in Authlib's format."""
    return {
        "access_token": secrets.token_urlsafe(32),
        "expires_in": EXPIRES_IN_S,
        "refresh_token": secrets.token_urlsafe(32),
        "scope": SCOPE,
        "token_type": "Bearer",
    }


def dictionary_store(client_secret: str) -> Store:
    """Return a store with almost no cost of its own, so that only Authlib and Flask are measured."""
    return _Dictionaries(client_secret)


@dataclass(slots=True)
class _User:
    """The user who gave consent."""

    id: int

    def get_user_id(self) -> int:
        return self.id


@dataclass(slots=True)
class _Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """The only client."""

    secret: str

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(each for each in (scope or "").split() if each in SCOPE.split())

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(self.secret, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib names it
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANT_TYPES


@dataclass(slots=True)
class _Code(AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib has no types
    """An authorization code, with the same lifetime as in Authlib's SQLAlchemy mixin."""

    code: str
    code_challenge: str
    auth_time: int
    code_challenge_method: str = "S256"
    user_id: int = USER_ID

    def get_redirect_uri(self) -> str:
        return CALLBACK

    def get_scope(self) -> str:
        return SCOPE


@dataclass(slots=True)
class _Token(TokenMixin):  # type: ignore[misc]  # Authlib has no types
    """The tokens that one response issued."""

    client_id: str
    user_id: int | None
    access_token: str
    expires_in: int
    scope: str
    token_type: str
    issued_at: int
    refresh_token: str | None = None
    refresh_token_revoked_at: int = 0

    def check_client(self, client: _Client) -> bool:
        return self.client_id == client.get_client_id()

    def get_scope(self) -> str:
        return self.scope

    def is_expired(self) -> bool:
        return self.issued_at + self.expires_in < time.time()

    def is_revoked(self) -> bool:
        return bool(self.refresh_token_revoked_at)


class _Dictionaries:
    def __init__(self, client_secret: str) -> None:
        self.clients = {CLIENT_ID: _Client(client_secret)}
        self.users = {USER_ID: _User(USER_ID)}
        self.codes: dict[str, _Code] = {}
        self.tokens: dict[str, dict[str, _Token]] = {"access_token": {}, "refresh_token": {}}

    def client(self, client_id: str) -> _Client | None:
        return self.clients.get(client_id)

    def user(self, user_id: int) -> _User | None:
        return self.users.get(user_id)

    def code(self, code: str, client_id: str) -> _Code | None:
        found = self.codes.get(code)
        return found if found and client_id == CLIENT_ID and found.auth_time + 300 >= time.time() else None

    def delete_code(self, code: _Code) -> None:
        del self.codes[code.code]

    def token(self, secret: str, kind: str) -> _Token | None:
        return self.tokens[kind].get(secret)

    def save_token(self, token: Json, request: Any) -> None:
        self._put(token, request.user.get_user_id() if request.user else None)

    def revoke(self, token: _Token) -> None:
        token.refresh_token_revoked_at = int(time.time())

    def put_code(self, code: str, challenge: str) -> None:
        self.codes[code] = _Code(code, challenge, int(time.time()))

    def put_token(self, token: Json) -> None:
        self._put(token, USER_ID)

    def end(self) -> None:
        pass

    def _put(self, token: Json, user_id: int | None) -> None:
        issued = _Token(client_id=CLIENT_ID, user_id=user_id, issued_at=int(time.time()), **token)
        self.tokens["access_token"][issued.access_token] = issued
        if issued.refresh_token:
            self.tokens["refresh_token"][issued.refresh_token] = issued
