"""Clients whose id is the URL of a metadata document: which documents are accepted, and which are rejected."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core import telemetry
from chalicelib.limits import tiers
from chalicelib.oauth import client_documents, delete_any_client
from chalicelib.oauth.tables import Client
from tests.oauth.flow import CALLBACK, LOOPBACK, PKCE, App, User, error_of, is_accepted, post, query_of
from tests.support.fake_internet import ADDRESS, NAME, Internet, replace_internet
from tests.support.harness import TestApp

URL = f"https://{NAME}/client.json"
DAY_S = 86_400
FAILED_S = 300
DOCUMENT: dict[str, object] = {
    "client_id": URL,
    "client_name": "Editor",
    "redirect_uris": [CALLBACK, LOOPBACK],
    "token_endpoint_auth_method": "none",
}


@pytest.fixture
def internet() -> Iterator[Internet]:
    """A fake internet without any server."""
    with replace_internet() as internet:
        yield internet


def found(internet: Internet, client_id: str = URL, address: str = ADDRESS) -> Client | None:
    """Look up a client whose host resolves to an address."""
    return client_documents.find_client(
        client_id, admit=lambda: None, resolver=lambda *_asked: [address], tls=internet.tls
    )


def publish(internet: Internet, document: object, **response: Any) -> None:
    """Serve a document at the URL of its client id."""
    internet.respond(document if isinstance(document, bytes) else json.dumps(document).encode(), **response)


def fetch_client(latchkey: TestApp, internet: Internet) -> App:
    """Return the client of DOCUMENT after its first fetch."""
    publish(internet, DOCUMENT)
    client = found(internet)
    assert client
    return App(latchkey, client, None, CALLBACK, PKCE)


def test_client_has_the_metadata_of_its_document(latchkey: TestApp, internet: Internet) -> None:
    """A document's client is public and unverified, and has the grants for authorization codes and refresh tokens."""
    client = fetch_client(latchkey, internet).client
    assert (client.client_id, client.name, client.uri) == (URL, "Editor", URL)
    assert (client.is_public, client.registered_by) == (True, "document")
    assert client.redirect_uris == [CALLBACK, LOOPBACK]
    assert set(client.grant_types) == {"authorization_code", "refresh_token"}
    assert client.account_id is None


def test_client_of_a_document_completes_the_flow(latchkey: TestApp, ada: User, internet: Internet) -> None:
    """A document's client can use PKCE, refresh and revocation. The consent page marks it as unverified."""
    app = fetch_client(latchkey, internet)
    page = ada.open_authorization(app)
    assert ("Unverified" in page.text, URL in page.text, "Editor" in page.text) == (True, True, True)
    tokens = ada.tokens(app)
    assert is_accepted(latchkey, tokens["access_token"])
    tokens = app.refresh(tokens["refresh_token"]).json()
    assert app.post("/oauth/revoke", token=tokens["refresh_token"]).status == 200
    assert not is_accepted(latchkey, tokens["access_token"])


def test_document_with_a_new_redirect_uri_needs_new_consent(latchkey: TestApp, ada: User, internet: Internet) -> None:
    """A consent to one redirect URI doesn't cover a new one, so an attacker who controls the document gets no code."""
    app = fetch_client(latchkey, internet)
    ada.allow(app)
    assert "code" in query_of(ada.open_authorization(app).location)
    publish(internet, DOCUMENT | {"redirect_uris": ["https://elsewhere.example/cb"]})
    latchkey.clock.forward(DAY_S)
    ada.log_in_again()
    assert found(internet)
    assert ada.open_authorization(app, redirect_uri="https://elsewhere.example/cb").status == 200


def test_client_of_a_document_is_public_only(latchkey: TestApp, ada: User, internet: Internet) -> None:
    """A document's client must use PKCE, and can't use client credentials, the device flow,
    introspection or a secret.
    """
    app = fetch_client(latchkey, internet)
    page = ada.open_authorization(app, code_challenge=None, code_challenge_method=None)
    assert (page.status, "PKCE" in page.text) == (400, True)
    assert error_of(app.ask("client_credentials")) == (400, "unauthorized_client")
    assert error_of(app.post("/oauth/device_authorization")) == (400, "unauthorized_client")
    assert error_of(app.post("/oauth/introspect", token="x")) == (401, "invalid_client")
    assert error_of(post(latchkey, "/oauth/token", {"client_id": URL, "client_secret": "x"})) == (401, "invalid_client")


def test_document_is_fetched_once_a_day(latchkey: TestApp, internet: Internet) -> None:
    """A document is fresh for 24 hours; the next request after that fetches it again and applies its changes."""
    fetch_client(latchkey, internet)
    publish(internet, DOCUMENT | {"client_name": "Editor 2", "redirect_uris": [CALLBACK]})
    latchkey.clock.forward(DAY_S - 0.001)
    client = found(internet)
    assert (client and client.name, len(internet.requests)) == ("Editor", 1)
    latchkey.clock.forward(0.001)
    client = found(internet)
    assert (client and client.name, client and client.redirect_uris) == ("Editor 2", [CALLBACK])
    assert len(internet.requests) == 2


def test_document_missing_after_a_day_is_no_client(latchkey: TestApp, ada: User, internet: Internet) -> None:
    """A client whose document is missing after a day gets no new authorizations. Its issued tokens stay valid."""
    app = fetch_client(latchkey, internet)
    access, refresh = ada.grant(app)
    publish(internet, b"", status="404 Not Found")
    latchkey.clock.forward(DAY_S)
    assert found(internet) is None
    assert app.refresh(refresh).status == 200
    assert not is_accepted(latchkey, access)


def test_token_endpoints_fetch_no_document(latchkey: TestApp, internet: Internet) -> None:
    """The token, revocation and device endpoints fetch no document; only an authorization request does."""
    for endpoint in ("/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/device_authorization"):
        assert error_of(post(latchkey, endpoint, {"client_id": URL, "token": "x"})) == (401, "invalid_client")
    latchkey.call("GET", f"/login?next=/oauth/authorize?client_id={URL}")
    assert internet.connected == []


BAD: dict[str, object] = {
    "no JSON": b"<html>",
    "no UTF-8": b'{"client_id": "\xff"}',
    "nested too deeply": b"[" * 60_000,
    "a list": [DOCUMENT],
    "a string": URL,
    "null": None,
    "another client_id": DOCUMENT | {"client_id": f"https://{NAME}/other.json"},
    "the same with a slash": DOCUMENT | {"client_id": f"{URL}/"},
    "no client_id": {name: value for name, value in DOCUMENT.items() if name != "client_id"},
    "a mistyped client_id": DOCUMENT | {"client_id": [URL]},
    "no redirects": DOCUMENT | {"redirect_uris": []},
    "redirects left out": {name: value for name, value in DOCUMENT.items() if name != "redirect_uris"},
    "one redirect that is no list": DOCUMENT | {"redirect_uris": CALLBACK},
    "a mistyped redirect": DOCUMENT | {"redirect_uris": [CALLBACK, 7]},
    "a redirect that runs": DOCUMENT | {"redirect_uris": ["javascript:alert(1)"]},
    "a redirect without TLS": DOCUMENT | {"redirect_uris": ["http://client.example/cb"]},
    "too many redirects": DOCUMENT | {"redirect_uris": [f"https://{NAME}/{number}" for number in range(11)]},
    "a field named twice": json.dumps(DOCUMENT)[:-1].encode() + b', "client_name": "Another"}',
    "no redirects but null": DOCUMENT | {"redirect_uris": None},
    "a redirect by mail": DOCUMENT | {"redirect_uris": ["mailto:ada@example.com"]},
    "grant types of which none is left": DOCUMENT | {"grant_types": ["implicit", "client_credentials"]},
    "no code flow": DOCUMENT | {"grant_types": ["refresh_token"]},
    "mistyped grant types": DOCUMENT | {"grant_types": "authorization_code"},
    "response types of which none is left": DOCUMENT | {"response_types": ["token"]},
    "a home page that runs": DOCUMENT | {"client_uri": "javascript:alert(1)"},
    "a long home page that runs": DOCUMENT | {"client_uri": "javascript:" + "x" * 200},
    "a mistyped home page": DOCUMENT | {"client_uri": 7},
    "a mistyped scope": DOCUMENT | {"scope": ["read"]},
    "a secret": DOCUMENT | {"client_secret": "x"},
    "HTTP Basic": DOCUMENT | {"token_endpoint_auth_method": "client_secret_basic"},
    "a key": DOCUMENT | {"token_endpoint_auth_method": "private_key_jwt"},
    "a mistyped method": DOCUMENT | {"token_endpoint_auth_method": ["none"]},
    "too long": DOCUMENT | {"padding": "x" * 65_536},
}


@pytest.mark.parametrize("document", BAD.values(), ids=BAD)
def test_unusable_document_is_no_client(latchkey: TestApp, internet: Internet, document: object) -> None:
    """A client with an unusable document isn't stored."""
    publish(internet, document)
    assert found(internet) is None
    assert list(Client.scan()) == []
    assert len(internet.requests) == 1


def test_unusable_response_is_no_client(latchkey: TestApp, internet: Internet) -> None:
    """No client is found if the response is an error or a redirect, the address is private, or the fetch times out.
    Only the log contains the reason.
    """
    log = io.StringIO()
    telemetry.write_to(log)
    for status in ("404 Not Found", "500 Oops", "201 Created", "204 No Content", "302 Found"):
        publish(internet, DOCUMENT, status=status, headers="Location: https://169.254.169.254/\r\n")
        assert found(internet) is None, status
        latchkey.clock.forward(FAILED_S)
    for address in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "::ffff:127.0.0.1"):
        assert found(internet, address=address) is None
        latchkey.clock.forward(FAILED_S)
    assert found(internet, address="8.8.8.8") is None
    logged = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {(line["message"], line["host"]) for line in logged} == {("client_document_refused", NAME)}
    assert len(logged) == 10
    assert {address for address, _ in internet.connected} == {ADDRESS, "8.8.8.8"}


@pytest.mark.parametrize(
    "client_id",
    [
        f"https://{NAME}",
        f"https://{NAME}/",
        f"https://{NAME}/#x",
        f"{URL}#x",
        f"{URL}#",
        f"https://{NAME}/a/../client.json",
        *(
            f"https://{NAME}/a/{dots}/client.json"
            for dots in ("%2e%2e", "%2E%2e", ".%2e", "%2e.", "%2e", "%252e%252E", "%25252e.", "..;x", "%2e%2e;x=1")
        ),
        *(
            f"https://{NAME}/a{dots}client.json"
            for dots in ("%2f..%2f", "%5c..%5c", "%2F%2e%2e/", "/..%2f", "%252f..%255c")
        ),
        f"https://{NAME}/a\\..\\client.json",
        f"https://{NAME}/a/..",
        f"https://{NAME}/%2e%2e",
        f"https://{NAME}/a/.\t./client.json",
        f"https://{NAME}/clïent.json",
        f"https://{NAME}/client.json\x00",
        f"https://{NAME}/./client.json",
        f"https://{NAME}/..",
        f"https://user@{NAME}/client.json",
        f"https://user:password@{NAME}/client.json",
        f"http://{NAME}/client.json",
        f"HTTPS://{NAME}/client.json",
        "https://",
        "https:///client.json",
        "https://[/client.json",
        f"https://{NAME}:99999/client.json",
        f"https://{NAME}:x/client.json",
        f"{URL} ",
        f"https://{NAME}/" + "x" * 1_024,
    ],
)
def test_invalid_client_id_url_is_never_fetched(
    latchkey: TestApp, ada: User, internet: Internet, client_id: str
) -> None:
    """A URL with no path, a fragment, dot segments, credentials or another scheme gets an error page with the
    reason.
    """
    publish(internet, DOCUMENT | {"client_id": client_id})
    assert found(internet, client_id) is None
    page = ada.open(App(latchkey, Client(client_id), None, CALLBACK).authorization_path())
    assert (page.status, page.location) == (400, "")
    assert (internet.connected, internet.requests) == ([], [])
    assert latchkey.counters("document-fetches_203.0.113.7", tiers.DOCUMENT_FETCHES) == {}


def test_document_url_may_contain_dots_in_names_and_query(latchkey: TestApp, internet: Internet) -> None:
    """Dots in a document's URL are allowed, except as whole path segments `.` and `..`."""
    for url in (f"https://{NAME}/.well-known/...json", f"https://{NAME}/a..b/%2e.c?x=/../", f"https://{NAME}/%20/a"):
        publish(internet, DOCUMENT | {"client_id": url})
        assert found(internet, url) is not None, url


def test_null_in_a_document_is_absent(latchkey: TestApp, internet: Internet) -> None:
    """A field that is null in a document counts as absent, as in a registration."""
    fields = ("client_uri", "client_name", "grant_types", "response_types", "scope", "token_endpoint_auth_method")
    publish(internet, DOCUMENT | dict.fromkeys((*fields, "client_secret", "logo_uri")))
    client = found(internet)
    assert client
    assert (client.name, set(client.scopes)) == (NAME, {"read", "write"})
    assert set(client.grant_types) == {"authorization_code", "refresh_token"}


def test_document_is_limited_to_supported_values(latchkey: TestApp, internet: Internet) -> None:
    """Unsupported values in a document are dropped, as in a registration."""
    requested = ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer", "client_credentials"]
    publish(
        internet,
        DOCUMENT | {"grant_types": requested, "response_types": ["code", "none"], "scope": "openid read offline"},
    )
    client = found(internet)
    assert client
    assert (set(client.grant_types), set(client.scopes)) == ({"authorization_code"}, {"read"})


def test_document_may_use_private_use_schemes(latchkey: TestApp, ada: User, internet: Internet) -> None:
    """A document may contain private-use schemes; a redirect to one always needs consent."""
    uri = "cursor://anysphere.cursor-mcp/oauth/callback"
    publish(internet, DOCUMENT | {"redirect_uris": [uri, CALLBACK, LOOPBACK]})
    client = found(internet)
    assert client
    app = App(latchkey, client, None, uri, PKCE)
    for _ in range(2):
        page = ada.open_authorization(app)
        assert page.status == 200
        assert ada.decide(page).location.startswith(f"{uri}?code=")


def test_unknown_fields_of_a_document_are_ignored(latchkey: TestApp, internet: Internet) -> None:
    """Unknown fields aren't stored. An overlong client_uri is dropped, so the consent page shows the client id
    instead.
    """
    unread = {"logo_uri": "javascript:x", "tos_uri": 7, "policy_uri": [], "contacts": "x", "jwks_uri": {}, "jwks": 1}
    publish(internet, DOCUMENT | unread | {"client_uri": "https://client.example/" + "x" * 200})
    client = found(internet)
    assert client
    assert client.uri == URL


def test_document_url_may_have_a_query_and_a_port(latchkey: TestApp, internet: Internet) -> None:
    """The query and the port of a document's URL are part of the client id."""
    url = f"https://{NAME}:8443/client?v=1"
    publish(internet, DOCUMENT | {"client_id": url}, port=8443)
    client = found(internet, url)
    assert client
    assert client.client_id == url


def test_longest_client_id_url_completes_the_flow(latchkey: TestApp, ada: User, internet: Internet) -> None:
    """A client id of the maximum length can be stored in clients, consents, grants and tokens."""
    url = f"https://{NAME}/".ljust(999, "x")
    publish(internet, DOCUMENT | {"client_id": url})
    client = found(internet, url)
    assert client
    assert is_accepted(latchkey, ada.grant(App(latchkey, client, None, CALLBACK, PKCE))[0])
    asks = f"/settings/connected/disconnect?client_id={url}"
    assert ada.submit("/settings/connected", on=asks, client_id=url).status == 303


@pytest.mark.parametrize("name", [None, "", "  ", 7, ["Editor"], "two\nlines", "turned \u202e round", "x" * 101])
def test_invalid_name_is_replaced_by_the_host(latchkey: TestApp, internet: Internet, name: object) -> None:
    """An invalid name is replaced by the host, so that the consent page shows a name that the service has checked."""
    publish(internet, DOCUMENT | {"client_name": name})
    client = found(internet)
    assert client
    assert client.name == NAME


def test_host_is_shown_in_full(latchkey: TestApp, internet: Internet) -> None:
    """The host isn't shortened on the consent page, because its end identifies the operator of the host."""
    host = f"bank.example.{'a' * 60}.{'b' * 60}.evil.example"
    described = client_documents._parse_metadata(f"https://{host}/client", {"redirect_uris": [CALLBACK]})
    assert described.name == host
    assert delete_any_client.delete(f"https://{host}/client", actor="operator").name == host


def test_generated_ids_are_found_without_a_fetch(latchkey: TestApp, app: App, internet: Internet) -> None:
    """A generated client id is looked up without a fetch; only an https URL is the id of a document."""
    client = found(internet, app.id)
    assert client
    assert client.client_id == app.id
    assert found(internet, "app_" + "0" * 20) is None
    assert internet.connected == []
