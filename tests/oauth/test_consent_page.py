"""The page that asks, and those on the way to it: what they say, where they lead, who can press their buttons."""

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
    Person,
    query_of,
    registered,
    someone,
)
from tests.support.console_client import PASSWORD, ConsoleClient, new_account
from tests.support.harness import TestApp

BROWSER = {"Sec-Fetch-Dest": "document"}


def test_whatever_isnt_the_allow_button_is_a_no(ada: Person, app: App) -> None:
    """Only one button gives anything away."""
    page = ada.asked(app)
    for decision in ("", "ALLOW", "yes", "deny\0allow"):
        assert query_of(ada.decides(page, decision).location)["error"] == "access_denied"


def test_stranger_logs_in_first_and_comes_back(latchkey: TestApp, app: App) -> None:
    """The whole way in a browser: the request, log-in, the consent page, the client."""
    account = new_account(name="Bea")
    console = Person(latchkey, account=account)
    page = console.asked(app, scope="read write")
    assert page.location.startswith("/login?next=%2Foauth%2Fauthorize%3F")
    page = console.follow(page)
    page = console.send("/login", console.fill(page, "/login", {"email": account.email, "password": "wrong wrong"}))
    assert page.status == 401
    page = console.send("/login", console.fill(page, "/login", {"email": account.email, "password": PASSWORD}))
    page = console.follow(page)
    assert page.status == 200
    location = console.decides(page).location
    assert location.startswith(f"{CALLBACK}?code=")
    assert app.redeem(query_of(location)["code"]).json()["scope"] == "read write"


def test_consent_page_says_who_asks_for_what(latchkey: TestApp, ada: Person) -> None:
    """The client's name, the account, where one goes back to, every scope in words."""
    app = registered(latchkey, CALLBACK)
    text = ada.asked(app, scope="read write", resource=f"{ISSUER}/v1").text
    for said in ("Photos", ada.account.email, "https://app.example.com", f"{ISSUER}/v1", "read", "write"):
        assert said in text
    assert "Unverified" not in text


def test_what_a_client_calls_itself_is_shown_as_text(latchkey: TestApp, ada: Person) -> None:
    """A name or a state is no markup."""
    app = registered(latchkey)
    app.client.update(actions=[Client.name.set("<script>alert(1)</script>")])
    page = ada.asked(app, state="'\"><script>alert(2)</script>")
    assert "<script>alert" not in page.html
    assert page.status == 200
    assert query_of(ada.decides(page).location)["state"] == "'\"><script>alert(2)</script>"


@pytest.mark.parametrize("uri", [CALLBACK, "https://app.example.com:8443/cb?x", LOOPBACK, "http://[::1]/cb", PRIVATE])
def test_forms_on_the_way_to_a_client_may_lead_anywhere(latchkey: TestApp, uri: str) -> None:
    """Chrome holds `form-action` against every redirect behind a form, the client's own too: there is none here."""
    app, ada = registered(latchkey, uri, public=True), someone(latchkey)
    target = app.asking()
    waiting = f"?next={quote(target, safe='')}"
    stranger = ConsoleClient(latchkey)
    login = stranger.open(f"/login{waiting}")
    wrong = stranger.send("/login", stranger.fill(login, "/login", {"email": "a@example.com", "password": "wrong"}))
    pages = [ada.open(target), login, wrong, stranger.open(f"/signup{waiting}")]
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


def test_forms_of_every_other_page_stay_here(latchkey: TestApp, ada: Person) -> None:
    """Where no client waits, `form-action` holds."""
    stranger = ConsoleClient(latchkey)
    pages = [
        stranger.open(f"/login?next={quote(after, safe='')}")
        for after in ("/settings/keys", "https://evil.example/oauth/authorize?x", "/oauth/authorized", "/device")
    ]
    for page in (*pages, ada.open("/device"), ada.open("/oauth/authorize?client_id=nobody")):
        assert "form-action 'self';" in str(page.answer.header("Content-Security-Policy")), page.target


def test_consent_page_can_be_framed_by_nobody(ada: Person, app: App) -> None:
    """Clickjacking: nobody's page can put ours under its own (RFC 9700 §4.16). Nor is it kept, or the referrer told."""
    page = ada.asked(app)
    headers = {name: page.answer.header(name) for name in ("X-Frame-Options", "Cache-Control", "Referrer-Policy")}
    assert headers == {"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    policy = str(page.answer.header("Content-Security-Policy"))
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy


def test_consent_from_elsewhere_is_forged(latchkey: TestApp, ada: Person, app: App) -> None:
    """Another site's form, one without this browser's token, or with another session's, decides nothing."""
    page = ada.asked(app)
    eve = someone(latchkey, "Eve")
    token = dict(eve.asked(app).content.forms[-1].fields)["csrf"]
    forged = [
        ada.decides(page, origin="https://evil.example"),
        ada.decides(page, origin="null"),
        ada.decides(page, origin=None),
        ada.decides(page, csrf="0" * 32),
        ada.decides(page, csrf=""),
        ada.decides(page, csrf=token),
    ]
    assert [(answer.status, answer.location) for answer in forged] == [(403, "")] * len(forged)
    assert ada.asked(app).status == 200


def test_decision_is_taken_on_what_is_asked_not_on_what_a_form_says(ada: Person, app: App) -> None:
    """Fields added to the form change nothing: the request itself is read again."""
    page = ada.asked(app)
    location = ada.decides(page, scope="read write", redirect_uri="https://evil.example/", client_id="x").location
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
def test_decision_holds_for_what_the_page_said_and_nothing_else(latchkey: TestApp, ada: Person, change: Action) -> None:
    """A client that changes while its page is open is asked about again; no code goes where nobody was told of."""
    app = registered(latchkey, scopes=["read"])
    page = ada.asked(app, redirect_uri=None, scope="read write")
    app.client.update(actions=[change])
    again = ada.decides(page)
    assert (again.status, again.location) == (409, "")
    assert "has changed" in again.problem
    assert list(Grant.by_account.query(ada.account.id)) == []
    assert "code" in query_of(ada.decides(again).location)


def test_decision_after_the_session_ended_is_none(latchkey: TestApp, ada: Person, app: App) -> None:
    """Logged out in another tab: log in again, and nothing was given."""
    page = ada.asked(app)
    latchkey.clock.forward(13 * 3_600)
    answer = ada.decides(page)
    assert answer.location == "/login"


def test_decision_on_a_deleted_client_leads_nowhere(latchkey: TestApp, ada: Person, app: App) -> None:
    """It was deleted while its page was open."""
    page = ada.asked(app)
    delete_client.delete(app.client)
    answer = ada.decides(page)
    assert (answer.status, answer.location) == (400, "")


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_browser_that_an_app_takes_over_from_shows_a_page_that_says_so(
    latchkey: TestApp, ada: Person, decision: str
) -> None:
    """A redirect to a scheme of the app's own leaves the browser where it was: on the form, asking again."""
    app = registered(latchkey, PRIVATE, public=True)
    app.client.update(actions=[Client.name.set("<b>Photos</b>")])
    state = "'\"><script>0;url=x"
    page = ada.decides(ada.asked(app, state=state), decision, sent=BROWSER)
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
def test_redirect_stays_one_where_it_works(latchkey: TestApp, ada: Person, uri: str) -> None:
    """To a web server in a browser, too; to any place for a program."""
    app = registered(latchkey, uri, public=True)
    page = ada.decides(ada.asked(app), sent={} if uri == PRIVATE else BROWSER)
    assert (page.status, page.location.startswith(f"{uri}?code=")) == (303, True)
