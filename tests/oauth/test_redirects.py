"""No open redirect: users are redirected only to registered URIs, and only after they have logged in."""

from itertools import cycle
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from chalicelib.oauth.tables import Client
from tests.oauth.flow import (
    CALLBACK,
    LOOPBACK,
    PKCE,
    App,
    User,
    new_user,
    query_of,
    register_client,
)
from tests.support.console_client import ConsoleClient
from tests.support.harness import TestApp

UNKNOWN = (
    "",
    "nobody",
    "app_" + "0" * 20,
    "app_00000000000000000000\0",
    "../../x",
    "https://",
    "http://evil.example/x",
)


@pytest.mark.parametrize(
    ("uri", "beginning"),
    [
        ("https://app.example.com/cb?", "https://app.example.com/cb?code="),
        ("https://app.example.com/cb?x=1", "https://app.example.com/cb?x=1&code="),
        ("https://app.example.com/cb?x=1&", "https://app.example.com/cb?x=1&code="),
        ("http://127.0.0.1:1/cb?", "http://127.0.0.1:1/cb?code="),
        ("cursor://cb", "cursor://cb?code="),
    ],
)
def test_response_is_joined_to_the_registered_uri(latchkey: TestApp, ada: User, uri: str, beginning: str) -> None:
    """The response is appended to the unchanged URI, and no parameter is empty."""
    assert ada.allow(register_client(latchkey, uri)).startswith(beginning)


def test_unknown_client_is_not_redirected(latchkey: TestApp, ada: User) -> None:
    """RFC 6749 §4.1.2.1: the user sees an error page, which doesn't contain the redirect URI or the state."""
    for client_id in UNKNOWN:
        asked = {"client_id": client_id, "redirect_uri": "https://evil.example/", "response_type": "code"}
        page = ada.open(f"/oauth/authorize?{urlencode(asked)}")
        assert (page.status, page.location) == (400, ""), client_id
        assert page.answer.header("Content-Type") == "text/html; charset=utf-8"
        assert "evil.example" not in page.html
    assert ada.open("/oauth/authorize").status == 400


UNREGISTERED = (
    "https://evil.example/cb",
    "https://app.example.com",
    "https://app.example.com/",
    "https://app.example.com/cb/",
    "https://app.example.com/cb/../cb",
    "https://app.example.com/cb/..%2fcb",
    "https://app.example.com//cb",
    "https://app.example.com/CB",
    "https://app.example.com/c%62",
    "https://app.example.com/cb?",
    "https://app.example.com/cb?next=https://evil.example",
    "https://app.example.com/cb#",
    "https://app.example.com/cb#fragment",
    "https://app.example.com/cb;x",
    "https://app.example.com:443/cb",
    "https://app.example.com:8443/cb",
    "https://app.example.com./cb",
    "https://APP.example.com/cb",
    "HTTPS://app.example.com/cb",
    "http://app.example.com/cb",
    "https://user@app.example.com/cb",
    "https://app.example.com@evil.example/cb",
    "https://app.example.com\\@evil.example/cb",
    "https://app.example.com.evil.example/cb",
    "https://evil.example/https://app.example.com/cb",
    "https:app.example.com/cb",
    "//app.example.com/cb",
    "/cb",
    "cb",
    " https://app.example.com/cb",
    "https://app.example.com/cb ",
    "https://app.example.com/cb\t",
    "https://app.example.com/cb\r\nLocation: https://evil.example",
    "https://app.example.com/cb\0",
    "https://äpp.example.com/cb",
    "javascript:alert(1)//https://app.example.com/cb",
    "data:text/html,x",
    'https://app.example.com/"cb',
    "https://[::1]/cb",
    "https://[/cb",
    "https://app.example.com:99999/cb",
    "x" * 3_000,
)


def test_unregistered_redirect_uri_is_not_redirected(latchkey: TestApp, ada: User, app: App) -> None:
    """A request whose redirect URI has another path, query, port, case, encoding, slash or scheme gets no redirect."""
    # An additional error in the request changes nothing.
    others = cycle(({}, {"scope": "nonsense"}, {"prompt": "none"}))
    for redirect_uri in UNREGISTERED:
        latchkey.clock.forward(1)
        page = ada.open_authorization(app, redirect_uri=redirect_uri, **next(others))
        assert (page.status, page.location) == (400, ""), redirect_uri


def test_client_with_several_redirect_uris_must_name_one(latchkey: TestApp, ada: User) -> None:
    """redirect_uri is required if the client has several, because the default would be ambiguous."""
    app = register_client(latchkey, CALLBACK, "https://app.example.com/second")
    assert ada.open_authorization(app, redirect_uri=None).status == 400
    assert ada.allow(app, redirect_uri="https://app.example.com/second").startswith("https://app.example.com/second?")


def test_redirect_uri_with_a_query_keeps_it(latchkey: TestApp, ada: User) -> None:
    """RFC 6749 §3.1.2: the response is appended to the registered query, which stays unchanged."""
    for uri in ("https://app.example.com/cb?tenant=a%2fb;c&x", "com.example.app:///cb"):
        app = register_client(latchkey, uri)
        joint = "&" if "?" in uri else "?"
        assert ada.allow(app).startswith(f"{uri}{joint}code=lk_ac_")


@pytest.mark.parametrize(
    "registered_uri", [LOOPBACK, "http://localhost/cb", "http://[::1]/cb", "http://127.0.0.1:80/cb"]
)
def test_loopback_redirect_uri_may_have_any_port(latchkey: TestApp, ada: User, registered_uri: str) -> None:
    """RFC 8252 §7.3: a native app listens on any free port, so only the port may differ."""
    app = register_client(latchkey, registered_uri, public=True)
    host = str(urlsplit(registered_uri).hostname)
    host = f"[{host}]" if ":" in host else host
    for port in (":1", ":49152", ":65535", ""):
        uri = f"http://{host}{port}/cb"
        assert ada.allow(app, redirect_uri=uri).startswith(f"{uri}?code=")
    elsewhere = [
        f"http://{host}:49152/other",
        f"http://{host}:49152/cb?x",
        f"http://{host}:49152/cb#",
        f"http://{host}:65536/cb",
        f"http://{host}:x/cb",
        f"https://{host}:49152/cb",
        f"http://user@{host}:49152/cb",
        f"http://{host}:49152@evil.example/cb",
        f"http://evil.example{host}/cb",
        f"http://{host}evil.example/cb",
        "http://127.0.0.2:49152/cb",
        "http://127.1:49152/cb",
        "http://[::ffff:127.0.0.1]:49152/cb",
        "http://localhost.evil.example:49152/cb",
        "http://127.0.0.1.evil.example:49152/cb",
    ]
    for uri in elsewhere:
        latchkey.clock.forward(1)
        assert ada.open_authorization(app, redirect_uri=uri).status == 400, uri


def test_https_redirect_uri_must_have_its_port(latchkey: TestApp, ada: User) -> None:
    """A redirect URI with another port is rejected, unless its host is loopback."""
    app = register_client(latchkey, "https://app.example.com:8443/cb")
    assert ada.open_authorization(app, redirect_uri="https://app.example.com:8444/cb").status == 400
    assert ada.open_authorization(app, redirect_uri=CALLBACK).status == 400


def test_anonymous_user_is_not_redirected_before_login(latchkey: TestApp, app: App) -> None:
    """RFC 9700 §4.11.2: errors aren't redirected before login, because any caller can register a client."""
    anonymous = ConsoleClient(latchkey)
    wrong: list[dict[str, str]] = [
        {},
        {"response_type": "token"},
        {"scope": "nonsense"},
        {"resource": "https://x.example"},
    ]
    for changed in wrong:
        page = anonymous.open(app.authorization_path(**changed))
        assert page.location.startswith("/login?next="), changed
    target = parse_qs(urlsplit(page.location).query)["next"][0]
    assert query_of(new_user(latchkey).open(target).location)["error"]


WRONG: tuple[dict[str, str | list[str] | None], ...] = (
    {"response_type": "token"},
    {"response_type": None},
    {"response_type": ["code", "code"]},
    {"response_mode": "fragment"},
    {"scope": "nonsense"},
    {"scope": ["read", "write"]},
    {"state": ["a", "b"]},
    {"state": "été"},
    {"resource": "https://evil.example"},
    {"prompt": "create"},
    {"prompt": "none consent"},
    {"prompt": "none"},
    {"prompt": "none", "scope": "nonsense"},
    {"code_challenge": None},
    {"code_challenge": "short"},
    {"code_challenge_method": "plain"},
)
"""Changes of a request that cause an error or require a page before the user has decided."""
STRANGERS = ("public", "confidential", "without-codes", "document", "of-a-suspended-account", "of-a-deleted-account")


def unverified_client(latchkey: TestApp, kind: str) -> App:
    """Return an unverified client, whose redirect URIs any caller could have chosen."""
    if kind.startswith("of-a-"):
        owner = new_user(latchkey, "Owner")
        app = register_client(latchkey, owner=owner.account)
        app.proof = PKCE
        if kind == "of-a-suspended-account":
            owner.suspend()
        else:
            owner.delete_account()
        return app
    client = Client(
        "https://client.example/id.json" if kind == "document" else register_client(latchkey).id,
        name="Stranger",
        redirect_uris=[CALLBACK],
        grant_types={"refresh_token"} if kind == "without-codes" else {"authorization_code", "refresh_token"},
        scopes={"read", "write"},
        auth_method="client_secret_basic" if kind == "confidential" else "none",
        registered_by="document" if kind == "document" else "self",
        created_at=latchkey.clock(),
        fresh_until=latchkey.clock() + 3_600_000 if kind == "document" else None,
    )
    client.save()
    return App(latchkey, client, None, CALLBACK, PKCE)


@pytest.mark.parametrize("kind", STRANGERS)
def test_unverified_client_gets_no_redirect_before_a_decision(latchkey: TestApp, ada: User, kind: str) -> None:
    """RFC 9700 §4.11.2: every error shows an error page or the login page, whether or not the user is logged in."""
    app = unverified_client(latchkey, kind)
    for changed in WRONG:
        latchkey.clock.forward(1)
        for console in (ada, ConsoleClient(latchkey)):
            page = console.open(app.authorization_path(**changed))
            assert not page.location or page.location.startswith("/login?next="), (changed, page.location)
            if console is ada or changed == {"prompt": "none"}:
                assert (page.status, page.location) == (400, ""), changed
                assert "app.example.com" not in page.html


@pytest.mark.parametrize("kind", ["public", "confidential", "document"])
def test_user_with_consent_at_this_redirect_uri_is_redirected_with_an_error(
    latchkey: TestApp, ada: User, kind: str
) -> None:
    """If a user has consented, errors are redirected to the approved redirect URI, but not to one that the client
    registered later.
    """
    app = unverified_client(latchkey, kind)
    ada.allow(app)
    for changed in WRONG:
        latchkey.clock.forward(1)
        location = ada.open_authorization(app, **changed).location
        assert location.startswith(f"{CALLBACK}?"), changed
    app.client.update(actions=[Client.redirect_uris.set(["https://elsewhere.example/cb"])])
    for changed in WRONG:
        latchkey.clock.forward(1)
        page = ada.open_authorization(app, redirect_uri="https://elsewhere.example/cb", **changed)
        assert (page.status, page.location) == (400, ""), changed
    assert new_user(latchkey, "Bea").open_authorization(app, redirect_uri=None, scope="nonsense").status == 400


def test_denying_user_is_redirected_to_any_client(latchkey: TestApp, ada: User) -> None:
    """A user who denies a request is redirected to any client, unless the redirect URI has changed since the page was
    opened.
    """
    app = unverified_client(latchkey, "public")
    page = ada.open_authorization(app, redirect_uri=None)
    assert query_of(ada.decide(page, "deny").location)["error"] == "access_denied"
    app.client.update(actions=[Client.redirect_uris.set(["https://elsewhere.example/cb"])])
    moved = ada.decide(page, "deny")
    assert (moved.status, moved.location) == (400, "")


def test_form_for_an_invalid_request_is_not_redirected_to_unverified_clients(latchkey: TestApp, ada: User) -> None:
    """If a client changes while the consent page is open, so that the request becomes invalid, a decision shows an
    error page instead of a redirect.
    """
    app = unverified_client(latchkey, "public")
    for decision in ("allow", "deny"):
        page = ada.open_authorization(app)
        app.client.update(actions=[Client.grant_types.set({"refresh_token"})])
        wrong = ada.decide(page, decision)
        assert (wrong.status, wrong.location) == (400, ""), decision
        app.client.update(actions=[Client.grant_types.set({"authorization_code"})])
