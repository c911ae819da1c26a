"""Clients named by a URL, at which a document says who they are (draft-ietf-oauth-client-id-metadata-document).

Such a client is public and unverified. Its document is fetched when somebody is sent here with it, by anyone's wish: so
only within an allowance, and neither again while it is fresh nor within minutes of a failure.
"""

import json
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from chalicelib.core import clock, fetch, telemetry
from chalicelib.core.errors import InvalidRequest
from chalicelib.oauth import clients, document_fetches
from chalicelib.oauth.freshness import fresh_s
from chalicelib.oauth.tables import Client

DEADLINE_S = 5.0
BYTES_MAX = 64 * 1024
UNUSED_KEPT_S = 2 * 86_400
"""How long a client is kept that no account approves; longer than its document is fresh."""

Admit = Callable[[], object]
"""Counts one fetch for whoever causes it; raises errors.RateLimited when it caused enough."""


class BadDocument(Exception):
    """The document can't be used; the message says why."""


def find_client(
    client_id: str,
    *,
    admit: Admit | None = None,
    resolver: fetch.Resolve = fetch.resolve,
    tls: ssl.SSLContext | None = None,
) -> Client | None:
    """Return a client by its id, fetching its document if that is what the id names and it isn't known fresh.

    `admit` is called before a fetch; without it nothing is fetched. `resolver` and `tls` are arguments for tests. None
    when there is no such client, its document can't be used, or clients can't register themselves here.
    """
    if not _is_document(client_id):
        return clients.find(client_id)
    if not clients.documents_are_taken():
        return None
    stored = Client.found(client_id)
    if stored is not None and (stored.deleted_at is not None or _is_fresh(stored)):
        return stored if stored.deleted_at is None else None
    if admit is None or not _is_fetchable(client_id) or document_fetches.has_failed(client_id):
        return None
    admit()
    with document_fetches.alone(client_id) as came_first:
        if not came_first:
            return find_client(client_id)
        return _fetched(client_id, resolver, tls)


def known_client(client_id: str) -> Client | None:
    """Return a client by its id without fetching anything."""
    return clients.find(client_id) if clients.documents_are_taken() or not _is_document(client_id) else None


def _is_document(client_id: str) -> bool:
    return client_id.startswith("https://") and clients.is_client_id(client_id)


def _is_fresh(client: Client) -> bool:
    return clock.now_ms() < (client.fresh_until or 0)


def _is_fetchable(client_id: str) -> bool:
    """Return whether the URL may be a client's, before anything is counted or fetched."""
    try:
        _check_url(client_id)
    except BadDocument as error:
        _log(client_id, error)
        return False
    return True


def _fetched(client_id: str, resolver: fetch.Resolve, tls: ssl.SSLContext | None) -> Client | None:
    try:
        answer = fetch.get(client_id, deadline_s=DEADLINE_S, bytes_max=BYTES_MAX, resolver=resolver, tls=tls)
        if answer.status != 200:
            raise BadDocument("it isn't there")
        described = _described(client_id, _document(client_id, answer.body))
    except (BadDocument, fetch.FetchError, InvalidRequest) as error:
        document_fetches.failed(client_id)
        _log(client_id, error)
        return None
    client = _stored(described, fresh_ms=fresh_s(answer.headers) * 1000)
    return client if client.deleted_at is None else None


def _log(client_id: str, error: Exception) -> None:
    # By hand: what isn't a URL is refused and logged, too.
    host = client_id.split("/")[2].rpartition("@")[2]
    telemetry.warning("client_document_refused", host=host, reason=str(error))


def _stored(described: Client, *, fresh_ms: int) -> Client:
    """Store what a document says and return the client.

    One write, which leaves alone what else is known: since when it is there, that it ended, and until when it is kept
    because an account approved it, even at this very moment.
    """
    now_ms = clock.now_ms()
    client = Client(described.client_id)
    client.update(
        actions=[
            Client.name.set(described.name),
            Client.redirect_uris.set(described.redirect_uris),
            Client.grant_types.set(described.grant_types),
            Client.scopes.set(described.scopes),
            Client.auth_method.set("none"),
            Client.registered_by.set("document"),
            Client.uri.set(described.client_id),
            Client.fresh_until.set(now_ms + fresh_ms),
            Client.created_at.set(Client.created_at | now_ms),
            Client.dies_at.set(Client.kept_until | now_ms // 1000 + UNUSED_KEPT_S),
        ]
    )
    return client


def _check_url(client_id: str) -> None:
    """The draft's §3: a path, no dot segments, no fragment, no user information."""
    try:
        parts = urlsplit(client_id)
    except ValueError:
        raise BadDocument("its client_id is no URL") from None
    segments = parts.path.split("/")
    if parts.path in ("", "/") or "." in segments or ".." in segments or "#" in client_id or "@" in parts.netloc:
        raise BadDocument("a client_id URL has a path, and no fragment, dot segments or user information")


def _document(client_id: str, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("client_id") != client_id:
        raise BadDocument("it doesn't name itself as client_id")
    return document


def _described(client_id: str, document: dict[str, Any]) -> Client:
    uris = document.get("redirect_uris")
    if not isinstance(uris, list) or not uris or not all(isinstance(uri, str) for uri in uris):
        raise BadDocument("redirect_uris must be a list of strings")
    if document.get("token_endpoint_auth_method", "none") != "none" or "client_secret" in document:
        raise BadDocument("only public clients can be described by a document")
    name = document.get("client_name")
    shown = name if isinstance(name, str) and name.isprintable() and name.strip() else urlsplit(client_id).netloc
    return Client(
        client_id,
        name=shown.strip()[:100],
        redirect_uris=clients.checked_uris(uris),
        grant_types={clients.CODE, clients.REFRESH},
        scopes=set(clients.GRANTABLE),
    )
