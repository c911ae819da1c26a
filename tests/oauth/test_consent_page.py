"""The consent page and the pages that lead to it: content, redirects, framing and CSRF."""

from urllib.parse import quote

import pytest
from markupsafe import escape
from pynamodb.expressions.update import Action

from chalicelib.oauth import delete_client
from chalicelib.oauth.tables import Client, Grant
from tests.oauth.flow import (
    CALLBACK,
    ISSUER,
    LOOPBACK,
    PRIVATE,
    App,
    User,
    new_user,
    query_of,
    register_client,
)
from tests.support.console_client import PASSWORD, ConsoleClient, new_account
from tests.support.harness import TestApp

BROWSER = {"Sec-Fetch-Dest": "document"}


def test_only_the_allow_button_approves(ada: User, app: App) -> None:
    """Any value of the decision other than `allow` denies the request."""
    page = ada.open_authorization(app)
    for decision in ("", "ALLOW", "yes", "deny\0allow"):
        assert query_of(ada.decide(page, decision).location)["error"] == "access_denied"


def test_anonymous_user_logs_in_first_and_returns(latchkey: TestApp, app: App) -> None:
    """In a browser, an anonymous user is sent to the login page, then the consent page, then the client."""
    account = new_account(name="Bea")
    console = User(latchkey, account=account)
    page = console.open_authorization(app, scope="read write")
    assert page.location.startswith("/login?next=%2Foauth%2Fauthorize%3F")
    page = console.follow(page)
    page = console.send("/login", console.fill(page, "/login", {"email": account.email, "password": "wrong wrong"}))
    assert page.status == 401
    page = console.send("/login", console.fill(page, "/login", {"email": account.email, "password": PASSWORD}))
    page = console.follow(page)
    assert page.status == 200
    location = console.decide(page).location
    assert location.startswith(f"{CALLBACK}?code=")
    assert app.redeem(query_of(location)["code"]).json()["scope"] == "read write"


def test_consent_page_shows_client_account_and_scopes(latchkey: TestApp, ada: User) -> None:
    """The page shows the client's name, the account, the redirect's origin, and a description of every scope."""
    app = register_client(latchkey, CALLBACK)
    text = ada.open_authorization(app, scope="read write", resource=f"{ISSUER}/v1").text
    for text_shown in ("Photos", ada.account.email, "https://app.example.com", f"{ISSUER}/v1", "read", "write"):
        assert text_shown in text
    assert "Unverified" not in text


def test_client_name_is_escaped(latchkey: TestApp, ada: User) -> None:
    """A client's name or a state can't inject markup into the page."""
    app = register_client(latchkey)
    app.client.update(actions=[Client.name.set("<script>alert(1)</script>")])
    page = ada.open_authorization(app, state="'\"><script>alert(2)</script>")
    assert "<script>alert" not in page.html
    assert page.status == 200
    assert query_of(ada.decide(page).location)["state"] == "'\"><script>alert(2)</script>"


@pytest.mark.parametrize("uri", [CALLBACK, "https://app.example.com:8443/cb?x", LOOPBACK, "http://[::1]/cb", PRIVATE])
def test_form_action_is_open_on_the_way_to_a_client(latchkey: TestApp, uri: str) -> None:
    """Pages from which a form can lead to a client don't set `form-action`, because Chrome also applies it to the
    redirect to the client.
    """
    app, ada = register_client(latchkey, uri, public=True), new_user(latchkey)
    target = app.authorization_path()
    next_path = f"?next={quote(target, safe='')}"
    anonymous = ConsoleClient(latchkey)
    login = anonymous.open(f"/login{next_path}")
    wrong = anonymous.send("/login", anonymous.fill(login, "/login", {"email": "a@example.com", "password": "wrong"}))
    pages = [ada.open(target), login, wrong, anonymous.open(f"/signup{next_path}")]
    assert [page.status for page in pages] == [200, 200, 401, 200]
    for page in pages:
        policy = str(page.answer.header("Content-Security-Policy"))
        assert "form-action" not in policy
        assert policy.startswith("default-src 'none';")
        assert {form.action.partition("?")[0] for form in page.content.forms} <= {
            "/login",
            "/logout",
            "/signup",
            "/oauth/authorize",
        }


def test_form_action_is_restricted_on_other_pages(latchkey: TestApp, ada: User) -> None:
    """Every page that doesn't lead to a client sets `form-action`."""
    anonymous = ConsoleClient(latchkey)
    pages = [
        anonymous.open(f"/login?next={quote(after, safe='')}")
        for after in ("/settings/keys", "https://evil.example/oauth/authorize?x", "/oauth/authorized", "/device")
    ]
    for page in (*pages, ada.open("/device"), ada.open("/oauth/authorize?client_id=nobody")):
        assert "form-action 'self';" in str(page.answer.header("Content-Security-Policy")), page.target


def test_consent_page_cannot_be_framed(ada: User, app: App) -> None:
    """The page can't be framed (clickjacking, RFC 9700 §4.16), isn't cached and sends no referrer."""
    page = ada.open_authorization(app)
    headers = {name: page.answer.header(name) for name in ("X-Frame-Options", "Cache-Control", "Referrer-Policy")}
    assert headers == {"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    policy = str(page.answer.header("Content-Security-Policy"))
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy


def test_cross_site_consent_is_rejected(latchkey: TestApp, ada: User, app: App) -> None:
    """A decision from another site, without this browser's CSRF token or from another session is rejected."""
    page = ada.open_authorization(app)
    eve = new_user(latchkey, "Eve")
    token = dict(eve.open_authorization(app).content.forms[-1].fields)["csrf"]
    forged = [
        ada.decide(page, origin="https://evil.example"),
        ada.decide(page, origin="null"),
        ada.decide(page, origin=None),
        ada.decide(page, csrf="0" * 32),
        ada.decide(page, csrf=""),
        ada.decide(page, csrf=token),
    ]
    assert [(response.status, response.location) for response in forged] == [(403, "")] * len(forged)
    assert ada.open_authorization(app).status == 200


def test_decision_uses_the_request_not_the_form(ada: User, app: App) -> None:
    """Fields added to the form have no effect, because the request is read from the URL again."""
    page = ada.open_authorization(app)
    location = ada.decide(page, scope="read write", redirect_uri="https://evil.example/", client_id="x").location
    assert location.startswith(CALLBACK)
    assert app.redeem(query_of(location)["code"]).json()["scope"] == "read"


@pytest.mark.parametrize(
    "change",
    [
        Client.redirect_uris.set(["https://elsewhere.example/cb"]),
        Client.scopes.set({"read", "write"}),
        Client.name.set("Another"),
    ],
    ids=["redirect", "scopes", "name"],
)
def test_decision_is_valid_for_the_shown_content_only(latchkey: TestApp, ada: User, change: Action) -> None:
    """If the client changes while the consent page is open, a decision shows the page again, and no code is issued."""
    app = register_client(latchkey, scopes=["read"])
    page = ada.open_authorization(app, redirect_uri=None, scope="read write")
    app.client.update(actions=[change])
    again = ada.decide(page)
    assert (again.status, again.location) == (409, "")
    assert "has changed" in again.problem
    assert list(Grant.by_account.query(ada.account.id)) == []
    assert "code" in query_of(ada.decide(again).location)


def test_decision_after_logout_is_rejected(latchkey: TestApp, ada: User, app: App) -> None:
    """A decision submitted after a logout in another tab shows the login page and grants nothing."""
    page = ada.open_authorization(app)
    latchkey.clock.forward(13 * 3_600)
    response = ada.decide(page)
    assert response.location == "/login"


def test_decision_on_a_deleted_client_is_not_redirected(latchkey: TestApp, ada: User, app: App) -> None:
    """If the client is deleted while the page is open, a decision isn't redirected."""
    page = ada.open_authorization(app)
    delete_client.delete(app.client)
    response = ada.decide(page)
    assert (response.status, response.location) == (400, "")


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_redirect_to_an_app_shows_a_page(latchkey: TestApp, ada: User, decision: str) -> None:
    """A redirect to a private-use scheme would leave the form on screen, so a page with a link is returned instead."""
    app = register_client(latchkey, PRIVATE, public=True)
    app.client.update(actions=[Client.name.set("<b>Photos</b>")])
    state = "'\"><script>0;url=x"
    page = ada.decide(ada.open_authorization(app, state=state), decision, sent=BROWSER)
    assert (page.status, page.heading) == (200, "You can close this window")
    (link,) = [url for url in page.urls if url.startswith(PRIVATE)]
    assert query_of(link) | {"state": state, "iss": ISSUER} == query_of(link)
    assert ("code" if decision == "allow" else "error") in query_of(link)
    assert f'<meta http-equiv="refresh" content="0; url={escape(link)}">' in page.html
    assert "Return to <b>Photos</b>" in page.text
    assert "<b>" not in page.html
    assert page.answer.header("Cache-Control") == "no-store"
    assert "default-src 'none'" in str(page.answer.header("Content-Security-Policy"))


@pytest.mark.parametrize("uri", [CALLBACK, LOOPBACK, PRIVATE])
def test_redirect_to_a_web_server_stays_a_redirect(latchkey: TestApp, ada: User, uri: str) -> None:
    """A browser is redirected to a web server with a 303; other programs are redirected to any redirect URI."""
    app = register_client(latchkey, uri, public=True)
    page = ada.decide(ada.open_authorization(app), sent={} if uri == PRIVATE else BROWSER)
    assert (page.status, page.location.startswith(f"{uri}?code=")) == (303, True)
