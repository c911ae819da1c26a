"""Limits for fetching, caching and comparing client documents, each tested just below and just above the limit."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from chalicelib.core import process_cache, settings, telemetry
from chalicelib.core.errors import InvalidRequest
from chalicelib.oauth import client_documents, clients, discovery, document_fetches, redirect_schemes, redirect_uris
from chalicelib.oauth.tables import Client
from tests.oauth.flow import ISSUER
from tests.oauth.test_client_documents import DOCUMENT, URL, found, publish
from tests.support.fake_internet import Internet, replace_internet
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import run_before

GUIDE = Path(__file__).parents[2] / "docs" / "oauth.md"
DAY_S = 86_400


@pytest.fixture
def internet() -> Iterator[Internet]:
    """A fake internet without any server."""
    with replace_internet() as internet:
        yield internet


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_document_of_64_kilobytes_is_the_largest(latchkey: TestApp, internet: Internet, more: int, fits: bool) -> None:
    """A document of exactly 65,536 bytes is accepted, and a larger one is rejected. The guide states this limit and the
    timeout.
    """
    body = json.dumps(DOCUMENT | {"x": ""}).encode()
    body = body[:-2] + b"x" * (64 * 1024 + more - len(body)) + body[-2:]
    publish(internet, body)
    assert (found(internet) is not None) == fits
    assert "at most 64 KB within 5 seconds" in " ".join(GUIDE.read_text().split())
    assert client_documents.DEADLINE_S == 5


def test_client_of_a_document_is_stored_completely(latchkey: TestApp, internet: Internet) -> None:
    """All fields of a fetched client are stored, and a later fetch keeps its creation time."""
    publish(internet, DOCUMENT | {"scope": "write"}, headers="Cache-Control: max-age=600\r\n")
    assert found(internet) is not None
    client = Client.get(URL)
    assert (client.auth_method, client.registered_by, client.uri) == ("none", "document", URL)
    assert (client.grant_types, client.scopes) == ({clients.CODE, clients.REFRESH}, {"write"})
    assert (client.fresh_until, client.created_at) == (START_MS + 600_000, START_MS)
    assert client.dies_at == START_MS // 1000 + 2 * DAY_S
    latchkey.clock.forward(600)
    publish(internet, DOCUMENT | {"client_name": "Other"})
    assert found(internet) is not None
    client = Client.get(URL)
    assert (client.name, client.created_at, client.dies_at) == ("Other", START_MS, START_MS // 1000 + 600 + 2 * DAY_S)
    assert client.fresh_until == START_MS + (600 + DAY_S) * 1000


def test_unusable_document_is_logged_with_host_and_reason(latchkey: TestApp, internet: Internet) -> None:
    """The log contains the host and the reason, but not the path, which may contain a secret."""
    log = io.StringIO()
    telemetry.write_to(log)
    publish(internet, b"", status="404 Gone")
    assert found(internet) is None
    assert found(internet, "https://client.example/a/../secret") is None
    logged = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["message"], line["host"], bool(line["reason"])) for line in logged] == [
        ("client_document_refused", urlsplit(URL).netloc, True),
        ("client_document_refused", "client.example", True),
    ]
    assert "secret" not in log.getvalue()


def test_client_deleted_during_a_fetch_is_not_returned(latchkey: TestApp, internet: Internet) -> None:
    """A client that is deleted while its document is fetched stays deleted, and isn't returned."""
    publish(internet, DOCUMENT)
    with run_before("UpdateItem", lambda: Client(URL).update(actions=[Client.deleted_at.set(START_MS)])):
        assert found(internet) is None
    assert Client.get(URL).deleted_at == START_MS


def test_client_never_fetched_is_not_fresh(latchkey: TestApp, internet: Internet) -> None:
    """A stored client whose document was never fetched isn't fresh, so the document is fetched. A client is in this
    state if it was deleted before its first use and later restored.
    """
    client = Client(URL, name="x", grant_types={"x"}, scopes={"read"}, auth_method="none", registered_by="document")
    client.created_at = START_MS
    client.save()
    publish(internet, DOCUMENT)
    again = found(internet)
    assert again is not None
    assert again.name == "Editor"


@pytest.mark.parametrize("registration", ["open", "closed"])
def test_stored_client_is_found_without_a_fetch(latchkey: TestApp, internet: Internet, registration: str) -> None:
    """While registration is closed, a stored client is still found, except a client with a metadata document."""
    publish(internet, DOCUMENT)
    assert found(internet) is not None
    own = clients.register(
        name="Photos",
        uris=["https://a.example/"],
        auth_method="none",
        grant_types={clients.CODE},
        wanted=set(),
        registered_by="self",
    ).client
    latchkey.clock.forward(2 * DAY_S)
    with settings.override(replace(settings.current(), registration=registration)):
        assert (client_documents.find_stored_client(URL) is not None) == (registration == "open")
        assert client_documents.find_stored_client(own.client_id) is not None
        assert client_documents.find_stored_client("x") is None
        metadata = discovery.server_metadata(ISSUER)
    assert ("registration_endpoint" in metadata) == (registration == "open")
    assert metadata["client_id_metadata_document_supported"] == (registration == "open")
    assert len(internet.requests) == 1


def test_registration_with_an_initial_token_is_advertised(latchkey: TestApp) -> None:
    """If registration needs an initial access token, the metadata still names the endpoint, for holders of a token."""
    with settings.override(replace(settings.current(), registration="a" * 64)):
        assert discovery.server_metadata(ISSUER)["registration_endpoint"] == f"{ISSUER}/oauth/register"


def test_failure_is_cached_for_five_minutes(latchkey: TestApp) -> None:
    """A failure is cached in this process for exactly five minutes after the last failure."""
    assert not document_fetches.has_recently_failed(URL)
    document_fetches.record_failure(URL)
    latchkey.clock.now_ms += 299_999
    assert document_fetches.has_recently_failed(URL)
    document_fetches.record_failure(URL)
    latchkey.clock.now_ms += 299_999
    assert document_fetches.has_recently_failed(URL)
    latchkey.clock.now_ms += 1
    assert not document_fetches.has_recently_failed(URL)
    document_fetches.record_failure(URL)
    process_cache.forget()
    assert not document_fetches.has_recently_failed(URL)


def test_oldest_failure_is_dropped_beyond_the_maximum(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the cache is full, the oldest failure is dropped. A repeated failure counts as a new one."""
    monkeypatch.setattr(document_fetches._failed_until, "size", 2)
    for name in ("first", "second", "first", "third"):
        document_fetches.record_failure(name)
    assert [document_fetches.has_recently_failed(name) for name in ("first", "second", "third")] == [True, False, True]


def test_concurrent_fetches_wait_for_the_first(latchkey: TestApp) -> None:
    """A thread that needs a document while another thread fetches it waits until that fetch ends, and may fetch it
    then.
    """
    heard: list[bool] = []

    def wait() -> None:
        with document_fetches.single_flight(URL) as is_first:
            heard.append(is_first)

    with document_fetches.single_flight(URL) as is_first:
        assert is_first
        with document_fetches.single_flight("https://other.example/") as other_came_first:
            assert other_came_first
        second = Thread(target=wait, daemon=True)
        second.start()
        second.join(0.05)
        assert heard == []
    second.join(30)
    wait()
    assert heard == [False, True]


@pytest.mark.parametrize(
    "scheme",
    [
        *("cursor", "vscode", "vscode-insiders", "warp", "windsurf", "zed", "claude", "myapp", "my-app", "my+app"),
        *("com.example.app", "xn--p1ai.c", "irish.app", "ab", "a.b", "a" * 64),
    ],
)
def test_private_use_scheme_is_allowed(scheme: str) -> None:
    """A private-use scheme is allowed with or without a dot, because both are in use."""
    assert redirect_schemes.is_private_use(scheme)


@pytest.mark.parametrize(
    "scheme",
    [
        *("javascript", "data", "file", "blob", "about", "vbscript", "mailto", "ws", "wss", "ftp", "http", "https"),
        *("view-source", "filesystem", "intent", "content", "jar", "res", "urn", "tel", "sms", "cid", "ldap", "magnet"),
        *("onenote", "onenote-cmd", "ms-word", "ms-settings", "web+x", "web+coffee", "ext+a", "chrome-extension"),
        *(
            "moz-extension",
            "x-apple.systempreferences",
            "itms-services",
            "search-ms",
            "microsoft-edge",
            "slack",
            "zoommtg",
        ),
        *("iris.beep", "soap.beep", "xmlrpc.beep", "iris", "z39.50", "steam", "webcal", "bitcoin", "skype", "msteams"),
        *("aaa", "amqp", "android-resource", "app-prefs", "browser", "chromium", "cifs", "firefox", "git+ssh", "gs"),
        *("hdfs", "imaps", "jabber", "launch", "localhost", "macappstore", "mmst", "mongodb", "mysql", "package"),
        *(
            "postgres",
            "reader",
            "s3",
            "scp",
            "smtp",
            "smtps",
            "soap",
            "sqlite",
            "terminal",
            "unix",
            "view-x",
            "webview",
        ),
        *("", "a", "1ab.c", ".com", "com.", "com..app", "ab c", "ab_c", "Cursor", "\u0430bc", "a" * 65, "ab\n"),
    ],
)
def test_scheme_handled_by_other_programs_is_rejected(scheme: str) -> None:
    """A scheme that browsers, operating systems or well-known programs handle is rejected, and so is a
    malformed one.
    """
    assert not redirect_schemes.is_private_use(scheme)


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        *(("http://127.0.0.1/", True), ("http://[::1]/", True), ("http://localhost/", True), ("http://a/", False)),
        *(("https://a/", True), ("https:/cb", False), ("https:cb", False), ("ftp://127.0.0.1/", False)),
        *(("app.x:/cb", True), ("app:8080", False), ("app:8080/cb", False), ("//a/cb", False), ("a/cb", False)),
        *(("https://a:65535/", True), ("https://a:65536/", False), ("https://a@b/", False), ("https://a;b/", False)),
    ],
)
def test_redirect_uri_can_be_registered(uri: str, good: bool) -> None:
    """A redirect URI may use https, http on loopback, or a private-use scheme."""
    if good:
        assert redirect_uris.validate(uri) == uri
    else:
        with pytest.raises(InvalidRequest):
            redirect_uris.validate(uri)


@pytest.mark.parametrize(
    ("requested", "registered", "same"),
    [
        *(("http://127.0.0.1:10/", "http://127.0.0.1/", True), ("http://127.0.0.1:1/", "http://127.0.0.1:2/", True)),
        *(
            ("http://127.0.0.1:65535/", "http://127.0.0.1/", True),
            ("http://127.0.0.1:65536/", "http://127.0.0.1/", False),
        ),
        *(("http://127.0.0.1:010/", "http://127.0.0.1/", False), ("http://localhost:1/", "http://127.0.0.1/", False)),
        *(("http://127.0.0.1:1/a", "http://127.0.0.1:1/b", False), ("http://[::1]:1/", "http://[::1]/", True)),
        *(("https://a/", "http://127.0.0.1/", False), ("http://127.0.0.1:1/", "https://a/", False)),
        ("http://127.0.0.1:1/".ljust(2_001, "x"), "http://127.0.0.1/".ljust(1_999, "x"), False),
    ],
)
def test_loopback_redirect_may_differ_in_its_port_only(requested: str, registered: str, same: bool) -> None:
    """A loopback redirect URI matches with any valid port; every other difference is a mismatch."""
    assert redirect_uris.matches(requested, registered) == same


def test_error_quotes_the_start_of_a_bad_redirect_uri() -> None:
    """The error quotes the first 80 characters of a bad redirect URI in ASCII."""
    with pytest.raises(InvalidRequest) as raised:
        redirect_uris.validate("http://é" + "x" * 73)
    assert raised.value.message.endswith(r"'http://\xe9" + "x" * 72 + "'.")
