"""Fetches of client metadata documents: the rate limit, freshness, failures, and concurrent requests."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from threading import Barrier
from urllib.parse import urlencode

import pytest

from chalicelib.core import errors, settings
from chalicelib.limits.tiers import DOCUMENT_FETCHES
from chalicelib.oauth import client_documents, document_fetches
from chalicelib.oauth.document_lifetime import freshness_s
from chalicelib.oauth.tables import Client
from infra.local_gateway.response import Response
from tests.oauth.flow import CALLBACK, PKCE, App, User, error_of
from tests.oauth.test_client_documents import DOCUMENT, URL, fetch_client, found, publish
from tests.support.fake_internet import ADDRESS, NAME, Internet, replace_internet
from tests.support.harness import TestApp

IP = "203.0.113.7"
DAY_S, FAILED_S = 86_400, 300
BY_ADDRESS = f"https://{ADDRESS}/client.json"
"""A document whose host is an IP address, so that no name is resolved."""


@pytest.fixture
def internet() -> Iterator[Internet]:
    """A fake internet without any server."""
    with replace_internet() as internet:
        yield internet


def open_authorization(latchkey: TestApp, client_id: str = BY_ADDRESS, ip: str = IP) -> Response:
    """Open an authorization link of the client."""
    return latchkey.call(
        "GET", "/oauth/authorize?" + urlencode({"client_id": client_id, "response_type": "code"}), ip=ip
    )


def use_up_fetches(latchkey: TestApp, network: str, times: int = 1) -> None:
    """Use up the fetch limit of a network. A /48 network has four times the limit (`times`) of a /64."""
    latchkey.set_counters(
        f"{DOCUMENT_FETCHES.name}_{network}", DOCUMENT_FETCHES, used=times * (DOCUMENT_FETCHES.quota or 0)
    )


def test_fetches_are_limited_by_network(latchkey: TestApp, internet: Internet) -> None:
    """Beyond 60 fetches an hour the page is a 429 and no connection is made; other networks aren't affected."""
    use_up_fetches(latchkey, IP)
    response = open_authorization(latchkey)
    assert (response.status, response.header("Retry-After"), internet.connected) == (429, "3600", [])
    assert open_authorization(latchkey, ip="203.0.113.8").status == 400
    assert internet.connected == [(ADDRESS, 443)]


def test_fetches_of_an_ipv6_site_are_limited_together(latchkey: TestApp, internet: Internet) -> None:
    """A /48 network has a limit, and so does each of its /64 networks."""
    use_up_fetches(latchkey, "2001:db8:1::/48", times=4)
    use_up_fetches(latchkey, "2001:db8:2:1::/64")
    for ip in ("2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:2:1::1"):
        assert open_authorization(latchkey, ip=ip).status == 429
    assert internet.connected == []
    assert open_authorization(latchkey, ip="2001:db8:2:2::1").status == 400
    assert internet.connected == [(ADDRESS, 443)]


def test_each_fetch_is_counted_by_network(latchkey: TestApp, internet: Internet) -> None:
    """A fetch counts once against the limit of its network, even if it fails."""
    open_authorization(latchkey)
    assert latchkey.counters(f"{DOCUMENT_FETCHES.name}_{IP}", DOCUMENT_FETCHES)["used"] == 1


def test_request_without_a_fetch_does_not_count(latchkey: TestApp, ada: User, internet: Internet, app: App) -> None:
    """Requests with a fresh document, a registered client or an invalid URL work even when the limit is reached."""
    of_document = fetch_client(latchkey, internet)
    for ip in (ada.ip, IP):
        use_up_fetches(latchkey, ip)
    assert [ada.open_authorization(of_document).status, ada.open_authorization(app).status] == [200, 200]
    assert open_authorization(latchkey, f"https://{NAME}/../client.json").status == 400


def test_decision_is_limited_like_the_consent_page(latchkey: TestApp, ada: User, internet: Internet) -> None:
    """If a client's document is stale when the user decides, the document is fetched within the same limit."""
    app = fetch_client(latchkey, internet)
    page = ada.open_authorization(app)
    Client(URL).update(actions=[Client.fresh_until.set(latchkey.clock.now_ms)])
    use_up_fetches(latchkey, ada.ip)
    assert ada.decide(page).status == 429
    assert len(internet.requests) == 1


def test_failed_document_is_not_fetched_for_five_minutes(latchkey: TestApp, internet: Internet) -> None:
    """For five minutes after a failure the document is neither fetched nor counted; then it is fetched again."""
    admitted: list[int] = []

    def find() -> Client | None:
        return client_documents.find_client(
            URL, admit=lambda: admitted.append(1), resolver=lambda *_asked: [ADDRESS], tls=internet.tls
        )

    publish(internet, b"", status="503 Busy")
    assert find() is None
    publish(internet, DOCUMENT)
    latchkey.clock.forward(FAILED_S - 0.001)
    assert (find(), len(internet.requests), admitted) == (None, 1, [1])
    latchkey.clock.forward(0.001)
    assert find() is not None
    assert (len(internet.requests), admitted) == (2, [1, 1])


def test_cache_of_failures_is_bounded(latchkey: TestApp) -> None:
    """When the cache of failed documents is full, the oldest entry is dropped."""
    for number in range(document_fetches.FAILURES_MAX + 1):
        document_fetches.record_failure(f"https://{NAME}/{number}")
    requested = (0, 1, document_fetches.FAILURES_MAX)
    failing = [document_fetches.has_recently_failed(f"https://{NAME}/{number}") for number in requested]
    assert failing == [False, True, True]
    assert Client.count() == 0


def test_failed_document_is_not_stored(latchkey: TestApp, internet: Internet) -> None:
    """A failed document isn't stored, so anonymous callers can't fill a table with invalid URLs."""
    publish(internet, b"nothing of use")
    assert found(internet) is None
    assert Client.count() == 0


def test_rate_limited_fetch_raises_the_limit(latchkey: TestApp, internet: Internet) -> None:
    """A fetch beyond the limit raises RateLimited, and isn't recorded as a failure of the document."""

    def refuse() -> None:
        raise errors.RateLimited(7)

    publish(internet, DOCUMENT)
    with pytest.raises(errors.RateLimited):
        client_documents.find_client(URL, admit=refuse, resolver=lambda *_asked: [ADDRESS], tls=internet.tls)
    assert internet.connected == []
    assert found(internet) is not None


def test_concurrent_fetches_of_a_document_are_one(latchkey: TestApp, internet: Internet) -> None:
    """Of eight concurrent requests for one document, one fetches it and the others use its result."""
    ready = Barrier(8)

    def serve(talk: object) -> None:
        body = json.dumps(DOCUMENT).encode()
        talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)  # type: ignore[attr-defined]

    internet.serve(serve)

    def find(_number: int) -> Client | None:
        # Every thread reads the stored client before the first fetch begins.
        return client_documents.find_client(
            URL, admit=lambda: ready.wait(30), resolver=lambda *_asked: [ADDRESS], tls=internet.tls
        )

    with ThreadPoolExecutor(8) as threads:
        clients = list(threads.map(find, range(8)))
    assert [client and client.name for client in clients] == ["Editor"] * 8
    assert len(internet.requests) == 1


def test_document_that_was_fetched_meanwhile_is_not_fetched_again(latchkey: TestApp, internet: Internet) -> None:
    """A thread that finds no fetch in progress reads the stored client again, because a fetch may have just ended."""

    def serve(talk: object) -> None:
        body = json.dumps(DOCUMENT).encode()
        talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)  # type: ignore[attr-defined]

    def find(admit: Callable[[], object]) -> Client | None:
        return client_documents.find_client(URL, admit=admit, resolver=lambda *_name: [ADDRESS], tls=internet.tls)

    internet.serve(serve)
    found = find(lambda: find(lambda: None))
    assert found is not None
    assert len(internet.requests) == 1


def format_http_date(seconds: int) -> str:
    """Return an HTTP date that is some seconds after the start time of the test clock."""
    return format_datetime(datetime.fromtimestamp(1_639_994_400 + seconds, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, DAY_S),
        ({"cache-control": "public"}, DAY_S),
        ({"cache-control": "max-age=3600"}, 3_600),
        ({"cache-control": 'public, MAX-AGE="3600"'}, 3_600),
        ({"cache-control": "s-maxage=7200, max-age=3600"}, 3_600),
        ({"cache-control": "max-age=3600, max-age=7200"}, 3_600),
        ({"cache-control": "max-age=3600", "age": "600"}, 3_000),
        ({"cache-control": "max-age=3600", "expires": format_http_date(60)}, 3_600),
        ({"cache-control": "max-age=0"}, 300),
        ({"cache-control": "max-age=3600, no-store"}, 300),
        ({"cache-control": "no-cache"}, 300),
        ({"cache-control": "max-age=-1"}, 300),
        ({"cache-control": "max-age=soon"}, 300),
        ({"cache-control": "max-age"}, 300),
        ({"cache-control": "max-age=" + "9" * 5_000}, DAY_S),
        ({"cache-control": "max-age=31536000"}, DAY_S),
        ({"expires": format_http_date(3_600)}, 3_600),
        ({"expires": format_http_date(3_600), "date": format_http_date(600)}, 3_000),
        ({"expires": format_http_date(-60)}, 300),
        ({"expires": "0"}, 300),
        ({"expires": ""}, 300),
        ({"expires": format_http_date(10**8)}, DAY_S),
        ({"expires": format_http_date(3_600), "date": "yesterday"}, 300),
    ],
)
def test_document_is_fresh_as_its_server_declares(latchkey: TestApp, headers: dict[str, str], seconds: int) -> None:
    """A document is fresh for the time that its headers declare, but at least 5 minutes and at most 24 hours (RFC 9111
    §5.2, §5.3).
    """
    assert freshness_s(headers) == seconds


def test_stale_document_is_fetched_again(latchkey: TestApp, internet: Internet) -> None:
    """A document is fetched again when the lifetime of its Cache-Control header has passed."""
    publish(internet, DOCUMENT, headers="Cache-Control: max-age=600\r\n")
    found(internet)
    latchkey.clock.forward(599.999)
    assert found(internet) is not None
    assert len(internet.requests) == 1
    latchkey.clock.forward(0.001)
    assert found(internet) is not None
    assert len(internet.requests) == 2


@pytest.mark.parametrize("registration", ["closed", "a" * 64])
def test_documents_are_no_clients_unless_registration_is_open(
    latchkey: TestApp, ada: User, internet: Internet, registration: str
) -> None:
    """If registration is closed or needs an initial access token, no document is fetched. The metadata says that client
    metadata documents aren't supported.
    """
    app = fetch_client(latchkey, internet)
    ada.allow(app)
    metadata = "/.well-known/oauth-authorization-server"
    assert latchkey.call("GET", metadata).json()["client_id_metadata_document_supported"] is True
    with settings.override(replace(settings.current(), registration=registration)):
        assert latchkey.call("GET", metadata).json()["client_id_metadata_document_supported"] is False
        assert ada.open_authorization(app).status == 400
        assert open_authorization(latchkey).status == 400
    assert len(internet.connected) == 1


def test_closing_registration_keeps_tokens_valid(latchkey: TestApp, ada: User, internet: Internet) -> None:
    """After registration is closed, a document's client can still refresh its tokens, like a self-registered client."""
    app = fetch_client(latchkey, internet)
    _, refresh = ada.grant(app)
    with settings.override(replace(settings.current(), registration="closed")):
        assert app.refresh(refresh).status == 200
        assert error_of(app.refresh("x")) == (400, "invalid_grant")


def test_client_of_a_document_without_approval_is_deleted_after_two_days(latchkey: TestApp, internet: Internet) -> None:
    """A document's client without an approval is deleted after two days, because any caller can cause it
    to be stored.
    """
    assert fetch_client(latchkey, internet).client.dies_at == latchkey.clock.now_ms // 1000 + 2 * DAY_S


def test_client_of_a_document_with_approval_is_kept_as_long_as_its_grants(
    latchkey: TestApp, ada: User, internet: Internet
) -> None:
    """A later fetch doesn't shorten the time for which an approved client is kept. A later approval
    extends this time.
    """
    app = fetch_client(latchkey, internet)
    ada.allow(app)
    kept = latchkey.clock.now_ms // 1000 + 120 * DAY_S
    assert Client.get(URL).dies_at == kept
    latchkey.clock.forward(DAY_S)
    again = found(internet)
    assert again
    assert (again.dies_at, again.created_at) == (kept, app.client.created_at)
    latchkey.clock.forward(40 * DAY_S)
    client = found(internet)
    assert client
    ada.log_in_again()
    ada.allow(App(latchkey, client, None, CALLBACK, PKCE), prompt="consent")
    assert Client.get(URL).dies_at == kept + 41 * DAY_S


def test_deleted_client_of_a_document_is_not_fetched_again(latchkey: TestApp, ada: User, internet: Internet) -> None:
    """A deleted client stays deleted: its document isn't fetched again."""
    app = fetch_client(latchkey, internet)
    Client(URL).update(actions=[Client.deleted_at.set(latchkey.clock.now_ms)])
    latchkey.clock.forward(DAY_S)
    assert found(internet) is None
    assert ada.open_authorization(app).status == 400
    assert len(internet.requests) == 1
