"""Clients named by a URL, at which a document says who they are (draft-ietf-oauth-client-id-metadata-document).

Such a client is public and unverified. Its document is fetched when somebody is sent here with it, and kept for a day.
"""

import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from chalicelib.core import clock, fetch, telemetry
from chalicelib.core.errors import InvalidRequest
from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client

FRESH_MS = 24 * 3_600_000
DEADLINE_S = 5.0
BYTES_MAX = 64 * 1024
KEPT_S = 120 * 86_400


class BadDocument(Exception):
    """The document can't be used; the message says why."""


def find_client(
    client_id: str, *, resolver: fetch.Resolve = fetch.resolve, tls: ssl.SSLContext | None = None
) -> Client | None:
    """Return a client by its id, fetching its document if that is what the id names and it isn't known fresh.

    `resolver` and `tls` are arguments for tests. None when there is no such client, or its document can't be used.
    """
    known = known_client(client_id)
    if not client_id.startswith("https://") or not clients.is_client_id(client_id):
        return known
    if known is not None and clock.now_ms() - (known.fetched_at or 0) < FRESH_MS:
        return known
    try:
        return _fetched(client_id, resolver, tls)
    except (BadDocument, fetch.FetchError, InvalidRequest) as error:
        # By hand: what isn't a URL is refused and logged, too.
        host = client_id.split("/")[2].rpartition("@")[2]
        telemetry.warning("client_document_refused", host=host, reason=str(error))
        return None


def known_client(client_id: str) -> Client | None:
    """Return a client by its id without fetching anything."""
    return clients.find(client_id)


def _fetched(client_id: str, resolver: fetch.Resolve, tls: ssl.SSLContext | None) -> Client:
    _check_url(client_id)
    answer = fetch.get(client_id, deadline_s=DEADLINE_S, bytes_max=BYTES_MAX, resolver=resolver, tls=tls)
    if answer.status != 200:
        raise BadDocument("it isn't there")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("client_id") != client_id:
        raise BadDocument("it doesn't name itself as client_id")
    client = _described(client_id, document)
    client.save()
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


def _described(client_id: str, document: dict[str, Any]) -> Client:
    uris = document.get("redirect_uris")
    if not isinstance(uris, list) or not uris or not all(isinstance(uri, str) for uri in uris):
        raise BadDocument("redirect_uris must be a list of strings")
    if document.get("token_endpoint_auth_method", "none") != "none" or "client_secret" in document:
        raise BadDocument("only public clients can be described by a document")
    name = document.get("client_name")
    shown = name if isinstance(name, str) and name.isprintable() and name.strip() else urlsplit(client_id).netloc
    now_ms = clock.now_ms()
    return Client(
        client_id,
        name=shown.strip()[:100],
        redirect_uris=clients.checked_uris(uris),
        grant_types={clients.CODE, clients.REFRESH},
        scopes=set(clients.GRANTABLE),
        auth_method="none",
        registered_by="document",
        created_at=now_ms,
        fetched_at=now_ms,
        uri=client_id,
        dies_at=now_ms // 1000 + KEPT_S,
    )
