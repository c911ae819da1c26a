"""Storage for the Authlib benchmark with Authlib's SQLAlchemy mixins on in-memory SQLite, as in Authlib's example.

As Authlib's documentation shows, each callback commits its change, and the session ends with the request. To save time,
objects aren't read from the database again after a commit.
"""

import time
from typing import Any

from authlib.integrations.sqla_oauth2 import (
    OAuth2AuthorizationCodeMixin,
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_query_client_func,
    create_query_token_func,
    create_save_token_func,
)
from sqlalchemy import Column, ForeignKey, Integer, create_engine  # type: ignore[import-not-found]  # benchmark's environment only
from sqlalchemy.orm import declarative_base, scoped_session, sessionmaker  # type: ignore[import-not-found]  # as above

from infra.bench.contenders.oauth_authlib_stores import CALLBACK, CLIENT_ID, GRANT_TYPES, SCOPE, USER_ID, Json, Store


def sqlite_store(client_secret: str) -> Store:
    """Return a store with new tables, one user and one client."""
    return _Sqlite(client_secret)


_Base: Any = declarative_base()


class _User(_Base):  # type: ignore[misc]  # SQLAlchemy's types aren't here either
    """The user who gave consent."""

    __tablename__ = "user"

    id = Column(Integer, primary_key=True)

    def get_user_id(self) -> Any:
        return self.id


class _Client(_Base, OAuth2ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """The only client."""

    __tablename__ = "oauth2_client"

    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("user.id", ondelete="CASCADE"))


class _Code(_Base, OAuth2AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib has no types
    """An authorization code."""

    __tablename__ = "oauth2_code"

    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("user.id", ondelete="CASCADE"))


class _Token(_Base, OAuth2TokenMixin):  # type: ignore[misc]  # Authlib has no types
    """The tokens that one response issued."""

    __tablename__ = "oauth2_token"

    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("user.id", ondelete="CASCADE"))


class _Sqlite:
    def __init__(self, client_secret: str) -> None:
        engine = create_engine("sqlite://")
        _Base.metadata.create_all(engine)
        self.session = scoped_session(sessionmaker(engine, expire_on_commit=False))
        self.client = create_query_client_func(self.session, _Client)
        self.save_token = create_save_token_func(self.session, _Token)
        self.token = create_query_token_func(self.session, _Token)
        self._put(_User(id=USER_ID))
        self._put(_client(client_secret))

    def user(self, user_id: int) -> Any:
        return self.session.get(_User, user_id)

    def code(self, code: str, client_id: str) -> Any:
        found = self.session.query(_Code).filter_by(code=code, client_id=client_id).first()
        return found if found and not found.is_expired() else None

    def delete_code(self, code: Any) -> None:
        self.session.delete(code)
        self.session.commit()

    def revoke(self, token: Any) -> None:
        token.refresh_token_revoked_at = int(time.time())
        self.session.commit()

    def put_code(self, code: str, challenge: str) -> None:
        self._put(
            _Code(
                code=code,
                client_id=CLIENT_ID,
                code_challenge=challenge,
                code_challenge_method="S256",
                redirect_uri=CALLBACK,
                scope=SCOPE,
                user_id=USER_ID,
            )
        )

    def put_token(self, token: Json) -> None:
        self._put(_Token(client_id=CLIENT_ID, user_id=USER_ID, **token))

    def end(self) -> None:
        self.session.remove()

    def _put(self, row: Any) -> None:
        self.session.add(row)
        self.session.commit()


def _client(secret: str) -> _Client:
    client = _Client(client_id=CLIENT_ID, client_secret=secret, user_id=USER_ID)
    client.set_client_metadata(
        {
            "client_name": "Bench",
            "grant_types": GRANT_TYPES,
            "redirect_uris": [CALLBACK],
            "response_types": ["code"],
            "scope": SCOPE,
            "token_endpoint_auth_method": "client_secret_basic",
        }
    )
    return client
