"""Clients whose id is the URL of a metadata document (draft-ietf-oauth-client-id-metadata-document).

Such a client is public and unverified. Any caller can cause a fetch of its document. Fetches are therefore rate
limited, and a document isn't fetched while its stored copy is fresh or for some minutes after a failed fetch.
"""

import re
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from chalicelib.core import clock, ssrf_rule, ssrf_safe_fetch, telemetry
from chalicelib.core.errors import InvalidRequest
from chalicelib.oauth import client_metadata, clients, document_fetches
from chalicelib.oauth.document_lifetime import freshness_s
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.tables import Client

DEADLINE_S = 5.0
BYTES_MAX = 64 * 1024
UNUSED_KEPT_S = 2 * 86_400
"""How long a client that no account has approved is stored. This is longer than its document can be fresh."""
SUPPORTED_GRANT_TYPES = (clients.CODE, clients.REFRESH)
"""The grant types that such a client can have. Its document may restrict them."""

# The characters of RFC 3986 except `#`.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
# A host name, an IPv4 address or an IPv6 address in brackets, and an optional port. Percent-encoding is not allowed.
_HOST = re.compile(r"([A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+\.?(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
# A `%` that isn't followed by two hex digits, or an encoded control character, even if it is encoded repeatedly.
_BADLY_ENCODED = re.compile("%(?![0-9A-Fa-f]{2})|%(?:25)*(?:[01][0-9A-Fa-f]|7[Ff])")
# Percent-encoded dots and slashes, even if they are encoded repeatedly: another program could decode them.
_ENCODED = (
    (re.compile("%(?:25)*2e", re.IGNORECASE), "."),
    (re.compile("%(?:25)*(?:2f|5c)", re.IGNORECASE), "/"),
)

Admit = Callable[[], object]
"""A function that counts a fetch for the caller; it raises errors.RateLimited when the caller's limit is exceeded."""


class BadDocument(Exception):
    """The URL or the document can't be used; the message contains the reason."""


def find_client(
    client_id: str,
    *,
    admit: Admit | None = None,
    resolver: ssrf_rule.Resolve = ssrf_rule.resolve,
    tls: ssl.SSLContext | None = None,
) -> Client | None:
    """Return a client by its id; fetch its metadata document if the id is a URL and no fresh copy is stored.

    `admit` is called before a fetch. If it is None, nothing is fetched. `resolver` and `tls` are arguments for tests.
    Returns None when there is no such client, its document can't be used, or registration isn't open.
    """
    if not _is_document(client_id):
        return clients.find(client_id)
    if not clients.allows_metadata_documents():
        return None
    stored = Client.found(client_id)
    if stored is not None and (stored.deleted_at is not None or _is_fresh(stored)):
        return stored if stored.deleted_at is None else None
    if admit is None or not _is_fetchable(client_id) or document_fetches.has_recently_failed(client_id):
        return None
    admit()
    with document_fetches.single_flight(client_id) as is_first:
        # Another thread may have fetched the document after the first lookup above.
        stored = find_client(client_id)
        if stored is not None or not is_first or document_fetches.has_recently_failed(client_id):
            return stored
        return _fetch_and_store(client_id, resolver, tls)


def url_problem(client_id: str) -> str:
    """Return why the URL of a metadata document can't be a client id. Returns "" if the URL can be one, if `client_id`
    isn't such a URL, or if registration isn't open.
    """
    if not _is_document(client_id) or not clients.allows_metadata_documents():
        return ""
    try:
        check_url(client_id)
    except BadDocument as error:
        return str(error)
    return ""


def find_stored_client(client_id: str) -> Client | None:
    """Return a client by its id without fetching its document."""
    return clients.find(client_id) if clients.allows_metadata_documents() or not _is_document(client_id) else None


def _is_document(client_id: str) -> bool:
    return client_id.startswith("https://") and clients.is_client_id(client_id)


def _is_fresh(client: Client) -> bool:
    return client.fresh_until is not None and clock.now_ms() < client.fresh_until


def _is_fetchable(client_id: str) -> bool:
    """Return whether the URL can be a client id; if it can't, log the reason."""
    try:
        check_url(client_id)
    except BadDocument as error:
        _log(client_id, error)
        return False
    return True


def _fetch_and_store(client_id: str, resolver: ssrf_rule.Resolve, tls: ssl.SSLContext | None) -> Client | None:
    try:
        response = ssrf_safe_fetch.get(
            client_id, deadline_s=DEADLINE_S, bytes_max=BYTES_MAX, resolver=resolver, tls=tls
        )
        if response.status != 200:
            raise BadDocument("the response status isn't 200")
        metadata = _parse_metadata(client_id, _parse_document(client_id, response.body))
    except (BadDocument, ssrf_safe_fetch.FetchError, InvalidRequest, OAuthError) as error:
        document_fetches.record_failure(client_id)
        _log(client_id, error)
        return None
    client = _store(metadata, fresh_ms=freshness_s(response.headers) * 1000)
    return client if client.deleted_at is None else None


def _log(client_id: str, error: Exception) -> None:
    # Split the URL as text, because parsing would raise an error for a malformed URL.
    host = client_id.split("/")[2].rpartition("@")[2]
    telemetry.warning("client_document_refused", host=host, reason=str(error))


def _store(metadata: Client, *, fresh_ms: int) -> Client:
    """Store the metadata of a document and return the client.

    A single update writes only these attributes, so that concurrent writes of `created_at`, `deleted_at` and
    `kept_until` are preserved.
    """
    now_ms = clock.now_ms()
    client = Client(metadata.client_id)
    client.update(
        actions=[
            Client.name.set(metadata.name),
            Client.redirect_uris.set(metadata.redirect_uris),
            Client.grant_types.set(metadata.grant_types),
            Client.scopes.set(metadata.scopes),
            Client.auth_method.set("none"),
            Client.registered_by.set("document"),
            Client.uri.set(metadata.client_id),
            Client.fresh_until.set(now_ms + fresh_ms),
            Client.created_at.set(Client.created_at | now_ms),
            Client.dies_at.set(Client.kept_until | now_ms // 1000 + UNUSED_KEPT_S),
        ]
    )
    return client


def check_url(client_id: str) -> None:
    """Raise BadDocument unless a URL can be a client id.

    By §3 of the draft, the URL must have a path. It must not have a fragment, user information or dot segments; encoded
    dot segments are not allowed either.
    """
    try:
        parts = urlsplit(client_id)
        port = parts.port  # raises ValueError for a port above 65535
    except ValueError:
        raise BadDocument("client_id is not a valid URL") from None
    if port == 0 or not _HOST.fullmatch(parts.netloc) or len(parts.hostname or "") > ssrf_safe_fetch.HOST_MAX:
        raise BadDocument("a client_id URL must have a host and no user information")
    if _BADLY_ENCODED.search(client_id) or re.search(r"[\[\]]", f"{parts.path}{parts.query}"):
        raise BadDocument("a client_id URL must not contain control characters or an invalid percent-encoding")
    if not _PLAIN.fullmatch(client_id) or _has_dot_segments(parts.path) or parts.path in ("", "/"):
        raise BadDocument("a client_id URL must have a path, and no fragment, dot segments or special characters")


def _has_dot_segments(path: str) -> bool:
    """Return whether a server could decode a `.` or `..` segment: one that is encoded, even repeatedly, or that
    precedes a `;`.
    """
    for encoded, character in _ENCODED:
        path = encoded.sub(character, path)
    return any(segment.partition(";")[0] in (".", "..") for segment in path.split("/"))


def _parse_document(client_id: str, body: bytes) -> client_metadata.Fields:
    document = client_metadata.parse_fields(body)
    if document.get("client_id") != client_id:
        raise BadDocument("its client_id is not its own URL")
    return document


def _parse_metadata(client_id: str, document: client_metadata.Fields) -> Client:
    name = document.get("client_name")
    if not isinstance(name, str) or client_metadata.name_problem(name.strip()):
        document = {field: value for field, value in document.items() if field != "client_name"}
    metadata = client_metadata.parse(
        document, offered=SUPPORTED_GRANT_TYPES, by_default=SUPPORTED_GRANT_TYPES, auth_method="none"
    )
    if metadata.auth_method != "none" or "client_secret" in document:
        raise BadDocument("a metadata document can only describe a public client")
    if clients.CODE not in metadata.grant_types:
        raise BadDocument("grant_types must include authorization_code")
    clients.check_has_redirect_uri(set(metadata.grant_types), metadata.redirect_uris)
    return Client(
        client_id,
        # If the document has no usable name, the consent page shows the whole host name, because the end of a host name
        # identifies the operator.
        name=metadata.name or urlsplit(client_id).netloc,
        redirect_uris=clients.validate_redirect_uris(metadata.redirect_uris),
        grant_types=set(metadata.grant_types),
        scopes=set(metadata.scopes),
    )
