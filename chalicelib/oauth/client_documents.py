"""Clients named by a URL, at which a document says who they are (draft-ietf-oauth-client-id-metadata-document).

Such a client is public and unverified. Its document is fetched when somebody is sent here with it, by anyone's wish: so
only within an allowance, and neither again while it is fresh nor within minutes of a failure.
"""

import re
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from chalicelib.core import clock, ssrf_rule, ssrf_safe_fetch, telemetry
from chalicelib.core.errors import InvalidRequest
from chalicelib.oauth import client_metadata, clients, document_fetches
from chalicelib.oauth.document_lifetime import fresh_s
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.tables import Client

DEADLINE_S = 5.0
BYTES_MAX = 64 * 1024
UNUSED_KEPT_S = 2 * 86_400
"""How long a client is kept that no account approves; longer than its document is fresh."""
OFFERED = (clients.CODE, clients.REFRESH)
"""The grant types of such a client, all of them unless its document says fewer."""

# RFC 3986's characters but `#`; what another program could read as a dot or a slash.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
# A host is a name, an IPv4 address, or an IPv6 one in brackets; nothing of it is encoded. A `%` begins two hex digits,
# and none that stand for a control character.
_PLACE = re.compile(r"([A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+\.?(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_BADLY_ENCODED = re.compile("%(?![0-9A-Fa-f]{2})|%(?:25)*(?:[01][0-9A-Fa-f]|7[Ff])")
_ENCODED = (
    (re.compile("%(?:25)*2e", re.IGNORECASE), "."),
    (re.compile("%(?:25)*(?:2f|5c)", re.IGNORECASE), "/"),
)

Admit = Callable[[], object]
"""Counts one fetch for whoever causes it; raises errors.RateLimited when it caused enough."""


class BadDocument(Exception):
    """The document can't be used; the message says why."""


def find_client(
    client_id: str,
    *,
    admit: Admit | None = None,
    resolver: ssrf_rule.Resolve = ssrf_rule.resolve,
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


def problem(client_id: str) -> str:
    """Return why a URL can't name a client, "" where that isn't what is wrong with it."""
    if not _is_document(client_id) or not clients.documents_are_taken():
        return ""
    try:
        check_url(client_id)
    except BadDocument as error:
        return str(error)
    return ""


def known_client(client_id: str) -> Client | None:
    """Return a client by its id without fetching anything."""
    return clients.find(client_id) if clients.documents_are_taken() or not _is_document(client_id) else None


def _is_document(client_id: str) -> bool:
    return client_id.startswith("https://") and clients.is_client_id(client_id)


def _is_fresh(client: Client) -> bool:
    return client.fresh_until is not None and clock.now_ms() < client.fresh_until


def _is_fetchable(client_id: str) -> bool:
    """Return whether the URL may be a client's, before anything is counted or fetched."""
    try:
        check_url(client_id)
    except BadDocument as error:
        _log(client_id, error)
        return False
    return True


def _fetched(client_id: str, resolver: ssrf_rule.Resolve, tls: ssl.SSLContext | None) -> Client | None:
    try:
        answer = ssrf_safe_fetch.get(client_id, deadline_s=DEADLINE_S, bytes_max=BYTES_MAX, resolver=resolver, tls=tls)
        if answer.status != 200:
            raise BadDocument("it isn't there")
        described = _described(client_id, _document(client_id, answer.body))
    except (BadDocument, ssrf_safe_fetch.FetchError, InvalidRequest, OAuthError) as error:
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


def check_url(client_id: str) -> None:
    """Raise BadDocument unless a URL can name a client.

    The draft's §3: a path, no dot segments however they are written, no fragment, no user information.
    """
    try:
        parts = urlsplit(client_id)
        port = parts.port  # one beyond 65535 is found only by asking for it
    except ValueError:
        raise BadDocument("its client_id is no URL") from None
    if port == 0 or not _PLACE.fullmatch(parts.netloc) or len(parts.hostname or "") > ssrf_safe_fetch.HOST_MAX:
        raise BadDocument("a client_id URL has a host, and no user information")
    if _BADLY_ENCODED.search(client_id) or re.search(r"[\[\]]", f"{parts.path}{parts.query}"):
        raise BadDocument("a client_id URL has no control characters, and a % begins two hex digits")
    if not _PLAIN.fullmatch(client_id) or _has_dot_segments(parts.path) or parts.path in ("", "/"):
        raise BadDocument("a client_id URL is plain and has a path, and no fragment or dot segments")


def _has_dot_segments(path: str) -> bool:
    """Return whether a server could read `.` or `..` in a path: encoded, however often, or before a `;`."""
    for encoded, character in _ENCODED:
        path = encoded.sub(character, path)
    return any(segment.partition(";")[0] in (".", "..") for segment in path.split("/"))


def _document(client_id: str, body: bytes) -> client_metadata.Fields:
    document = client_metadata.fields_of(body)
    if document.get("client_id") != client_id:
        raise BadDocument("it doesn't name itself as client_id")
    return document


def _described(client_id: str, document: client_metadata.Fields) -> Client:
    name = document.get("client_name")
    if not isinstance(name, str) or client_metadata.name_problem(name.strip()):
        document = {field: value for field, value in document.items() if field != "client_name"}
    described = client_metadata.read(document, offered=OFFERED, by_default=OFFERED, auth_method="none")
    if described.auth_method != "none" or "client_secret" in document:
        raise BadDocument("only public clients can be described by a document")
    if clients.CODE not in described.grant_types:
        raise BadDocument("grant_types must hold authorization_code")
    clients.check_uris_for(set(described.grant_types), described.redirect_uris)
    return Client(
        client_id,
        # Whoever is asked must read something true; the whole host, since the end of it says whose it is.
        name=described.name or urlsplit(client_id).netloc,
        redirect_uris=clients.checked_uris(described.redirect_uris),
        grant_types=set(described.grant_types),
        scopes=set(described.scopes),
    )
