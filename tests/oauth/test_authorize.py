"""The authorization endpoint: who may ask, what an answer says, and that it goes nowhere but to a registered client."""

from itertools import cycle
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client, Grant
from tests.house import House
from tests.oauth.flow import (
    CALLBACK,
    CHALLENGE,
    ISSUER,
    LOOPBACK,
    PRIVATE,
    VERIFIER,
    App,
    Person,
    query_of,
    registered,
    someone,
)
from tests.visitor import PASSWORD, Visitor, person


def test_yes_leads_back_with_a_code(ada: Person, app: App) -> None:
    """RFC 6749 §4.1.2 and RFC 9207: the code, the client's state as it was, and who answers."""
    location = ada.allows(app, state="a b&c=ü".encode().hex() + "~ &=%")
    assert location.startswith(f"{CALLBACK}?code=lk_ac_")
    query = query_of(location)
    assert query.keys() == {"code", "state", "iss"}
    assert (query["state"], query["iss"]) == ("a b&c=ü".encode().hex() + "~ &=%", ISSUER)


def test_answer_without_a_state_says_none(ada: Person, app: App) -> None:
    """What wasn't sent isn't sent back."""
    assert query_of(ada.allows(app, state=None)).keys() == {"code", "iss"}


def test_no_leads_back_with_an_error(ada: Person, app: App) -> None:
    """access_denied, with state and issuer (RFC 6749 §4.1.2.1)."""
    page = ada.decides(ada.asked(app), "deny")
    assert page.status == 303
    query = query_of(page.location)
    assert {name: query[name] for name in ("error", "state", "iss")} == {
        "error": "access_denied",
        "state": "xyz",
        "iss": ISSUER,
    }
    assert "code" not in query
    assert ada.asked(app).status == 200


def test_whatever_isnt_the_allow_button_is_a_no(ada: Person, app: App) -> None:
    """Only one button gives anything away."""
    page = ada.asked(app)
    for decision in ("", "ALLOW", "yes", "deny\0allow"):
        assert query_of(ada.decides(page, decision).location)["error"] == "access_denied"


WRONG = (
    ({"response_type": None}, "invalid_request"),
    ({"response_type": ""}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code token"}, "unsupported_response_type"),
    ({"response_type": "id_token"}, "unsupported_response_type"),
    ({"response_type": 'co"de\\'}, "unsupported_response_type"),
    ({"scope": "nonsense"}, "invalid_scope"),
    ({"scope": "read keys"}, "invalid_scope"),
    ({"scope": "admin"}, "invalid_scope"),
    ({"scope": 're"ad'}, "invalid_scope"),
    ({"scope": "READ"}, "invalid_scope"),
    ({"prompt": "login"}, "invalid_request"),
    ({"resource": "https://evil.example"}, "invalid_target"),
    ({"resource": [ISSUER, "https://evil.example"]}, "invalid_target"),
    ({"resource": f"{ISSUER}/v1#part"}, "invalid_target"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": "plain", "code_challenge": VERIFIER}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": None, "code_challenge": VERIFIER}, "invalid_request"),
    ({"code_challenge_method": "s256"}, "invalid_request"),
    ({"code_challenge_method": "S512"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": ""}, "invalid_request"),
    ({"code_challenge": CHALLENGE[:-1]}, "invalid_request"),
    ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
    ({"code_challenge": CHALLENGE + "a"}, "invalid_request"),
    ({"code_challenge": CHALLENGE[:-1] + "+"}, "invalid_request"),
    ({"code_challenge": "a" * 129}, "invalid_request"),
)


@pytest.mark.parametrize("kind", ["app", "spa"])
def test_wrong_request_is_told_to_its_client(
    home: House, ada: Person, request: pytest.FixtureRequest, kind: str
) -> None:
    """Once client and redirect are known, every error goes there, with state and issuer, and an RFC's own name."""
    app: App = request.getfixturevalue(kind)
    proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    for changed, error in WRONG:
        home.clock.forward(1)
        page = ada.asked(app, **{**proof, **changed})
        assert (page.status, page.location.partition("?")[0]) == (303, CALLBACK), changed
        query = query_of(page.location)
        assert query.keys() == {"error", "error_description", "state", "iss"}
        assert (query["error"], query["state"], query["iss"]) == (error, "xyz", ISSUER), changed
        assert not {'"', "\\"} & set(query["error_description"])


def test_public_client_must_use_pkce(ada: Person, spa: App) -> None:
    """Without a challenge its code could be used by whoever sees it."""
    page = ada.asked(spa, code_challenge=None, code_challenge_method=None)
    assert query_of(page.location)["error"] == "invalid_request"
    assert "PKCE" in query_of(page.location)["error_description"]


def test_client_that_may_not_use_codes_hears_so(home: House, ada: Person) -> None:
    """It was registered for something else."""
    app = registered(home, grant_types=["refresh_token"])
    assert query_of(ada.asked(app).location)["error"] == "unauthorized_client"


def test_scope_is_read_unless_more_is_asked_and_never_more_than_the_clients(home: House, ada: Person) -> None:
    """RFC 6749 §3.3: the token's scope says what was granted."""
    app, reader = registered(home), registered(home, scopes=["read"])
    granted = [
        ada.tokens(app)["scope"],
        ada.tokens(app, scope="write")["scope"],
        ada.tokens(app, scope="write  read")["scope"],
        ada.tokens(reader, scope="read write")["scope"],
    ]
    assert granted == ["read", "write", "read write", "read"]
    assert query_of(ada.asked(reader, scope="write").location)["error"] == "invalid_scope"


def test_admins_consent_grants_no_more_than_anyones(home: House) -> None:
    """OAuth never grants keys or admin: a token can't make a key that outlives the consent, nor administer."""
    root, app = someone(home, "Root", admin=True), registered(home)
    for scope in ("admin", "keys", "verify", "read admin"):
        assert query_of(root.asked(app, scope=scope).location)["error"] == "invalid_scope"
    token, _ = root.grant(app, scope="read write")
    refused = [
        home.call("GET", "/v1/keys", token),
        home.call("POST", "/v1/keys", token, json_body={"name": "Mine", "scopes": ["read"]}),
        home.call("POST", "/v1/users", token, json_body={"email": "eve@example.com", "name": "Eve"}),
    ]
    assert [(answer.status, answer.json()["error"]) for answer in refused] == [(403, "insufficient_scope")] * 3


UNKNOWN = (
    "",
    "nobody",
    "app_" + "0" * 20,
    "app_00000000000000000000\0",
    "../../x",
    "https://",
    "http://evil.example/x",
)


def test_unknown_client_leads_nowhere(home: House, ada: Person) -> None:
    """Neither its redirect nor its state is used: the person is told (RFC 6749 §4.1.2.1)."""
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


def test_unregistered_redirect_leads_nowhere(home: House, ada: Person, app: App) -> None:
    """Only the registered string itself will do: no other path, query, port, case, encoding, slash or scheme."""
    # With another error in the request, and without: neither is told to the redirect.
    others = cycle(({}, {"scope": "nonsense"}, {"prompt": "none"}))
    for redirect_uri in UNREGISTERED:
        home.clock.forward(1)
        page = ada.asked(app, redirect_uri=redirect_uri, **next(others))
        assert (page.status, page.location) == (400, ""), redirect_uri


def test_client_with_several_redirects_must_name_one(home: House, ada: Person) -> None:
    """Which of them is meant can't be guessed."""
    app = registered(home, CALLBACK, "https://app.example.com/second")
    assert ada.asked(app, redirect_uri=None).status == 400
    assert ada.allows(app, redirect_uri="https://app.example.com/second").startswith("https://app.example.com/second?")


def test_redirect_with_a_query_keeps_it(home: House, ada: Person) -> None:
    """RFC 6749 §3.1.2: the answer is added behind, and what was registered stays to the letter."""
    for uri in ("https://app.example.com/cb?tenant=a%2fb;c&x", "com.example.app:///cb"):
        app = registered(home, uri)
        joint = "&" if "?" in uri else "?"
        assert ada.allows(app).startswith(f"{uri}{joint}code=lk_ac_")


@pytest.mark.parametrize(
    "registered_uri", [LOOPBACK, "http://localhost/cb", "http://[::1]/cb", "http://127.0.0.1:80/cb"]
)
def test_loopback_redirect_may_have_any_port(home: House, ada: Person, registered_uri: str) -> None:
    """RFC 8252 §7.3: a native app listens where it can; everything but the port must be as registered."""
    app = registered(home, registered_uri, public=True)
    host = str(urlsplit(registered_uri).hostname)
    host = f"[{host}]" if ":" in host else host
    for port in (":1", ":49152", ":65535", ""):
        uri = f"http://{host}{port}/cb"
        assert ada.allows(app, redirect_uri=uri).startswith(f"{uri}?code=")
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
        home.clock.forward(1)
        assert ada.asked(app, redirect_uri=uri).status == 400, uri


def test_https_redirect_must_have_its_port(home: House, ada: Person) -> None:
    """Only loopback may vary."""
    app = registered(home, "https://app.example.com:8443/cb")
    assert ada.asked(app, redirect_uri="https://app.example.com:8444/cb").status == 400
    assert ada.asked(app, redirect_uri=CALLBACK).status == 400


def test_stranger_logs_in_first_and_comes_back(home: House, app: App) -> None:
    """The whole way in a browser: the request, log-in, the consent page, the client."""
    account = person(name="Bea")
    visitor = Person(home, account=account)
    page = visitor.asked(app, scope="read write")
    assert page.location.startswith("/login?next=%2Foauth%2Fauthorize%3F")
    page = visitor.follow(page)
    page = visitor.send("/login", visitor.filled(page, "/login", {"email": account.email, "password": "wrong wrong"}))
    assert page.status == 401
    page = visitor.send("/login", visitor.filled(page, "/login", {"email": account.email, "password": PASSWORD}))
    page = visitor.follow(page)
    assert page.status == 200
    location = visitor.decides(page).location
    assert location.startswith(f"{CALLBACK}?code=")
    assert app.redeem(query_of(location)["code"]).json()["scope"] == "read write"


def test_stranger_is_sent_to_no_client_before_logging_in(home: House, app: App) -> None:
    """Whoever may register clients could else make any link of ours lead anywhere (RFC 9700 §4.11.2)."""
    stranger = Visitor(home)
    for changed, _ in WRONG[:8]:
        page = stranger.open(app.asking(**changed))
        assert page.location.startswith("/login?next="), changed
    target = parse_qs(urlsplit(page.location).query)["next"][0]
    assert query_of(someone(home).open(target).location)["error"]


def test_silent_request_asks_nobody(home: House, ada: Person, app: App) -> None:
    """prompt=none: login_required, or consent_required, and never a page."""
    for visitor, error in ((Visitor(home), "login_required"), (ada, "consent_required")):
        page = visitor.open(app.asking(prompt="none"))
        assert page.location.startswith(CALLBACK)
        query = query_of(page.location)
        assert (query["error"], query["state"], query["iss"]) == (error, "xyz", ISSUER)


def test_silent_request_succeeds_after_a_yes(ada: Person, app: App) -> None:
    """What was consented to is given without a page; more isn't."""
    ada.allows(app)
    assert query_of(ada.asked(app, prompt="none").location).keys() == {"code", "state", "iss"}
    assert query_of(ada.asked(app, prompt="none", scope="write").location)["error"] == "consent_required"


def test_consent_page_says_who_asks_for_what(home: House, ada: Person) -> None:
    """The client's name, the account, where one goes back to, every scope in words."""
    app = registered(home, CALLBACK)
    text = ada.asked(app, scope="read write", resource=f"{ISSUER}/v1").text
    for said in ("Photos", ada.account.email, "https://app.example.com", f"{ISSUER}/v1", "read", "write"):
        assert said in text
    assert "Unverified" not in text


def test_what_a_client_calls_itself_is_shown_as_text(home: House, ada: Person) -> None:
    """A name or a state is no markup."""
    app = registered(home)
    app.client.update(actions=[Client.name.set("<script>alert(1)</script>")])
    page = ada.asked(app, state="'\"><script>alert(2)</script>")
    assert "<script>alert" not in page.html
    assert page.status == 200
    assert query_of(ada.decides(page).location)["state"] == "'\"><script>alert(2)</script>"


@pytest.mark.parametrize(
    ("uri", "asked", "source"),
    [
        (CALLBACK, CALLBACK, "https://app.example.com"),
        ("https://app.example.com:8443/cb?x", "https://app.example.com:8443/cb?x", "https://app.example.com:8443"),
        (LOOPBACK, "http://127.0.0.1:49152/cb", "http://127.0.0.1:49152"),
        (PRIVATE, PRIVATE, "com.example.app:"),
    ],
)
def test_pages_on_the_way_may_lead_to_the_client(home: House, uri: str, asked: str, source: str) -> None:
    """Browsers hold `form-action` against the redirect behind a form: consent, log-in and sign-up list its origin."""
    app, ada = registered(home, uri, public=True), someone(home)
    target = app.asking(redirect_uri=asked)
    waiting = f"?next={quote(target, safe='')}"
    stranger = Visitor(home)
    login = stranger.open(f"/login{waiting}")
    wrong = stranger.send("/login", stranger.filled(login, "/login", {"email": "a@example.com", "password": "wrong"}))
    pages = [ada.open(target), login, wrong, stranger.open(f"/signup{waiting}")]
    assert [page.status for page in pages] == [200, 200, 401, 200]
    for page in pages:
        assert f"form-action 'self' {source};" in str(page.answer.header("Content-Security-Policy"))


def test_pages_lead_to_no_client_that_isnt_asked_for(home: House, app: App) -> None:
    """An unknown client, an unregistered redirect or another page of ours adds nothing to the policy."""
    stranger = Visitor(home)
    for after in (
        "/settings/keys",
        app.asking(redirect_uri="https://evil.example/"),
        "/oauth/authorize?client_id=nobody&redirect_uri=https://evil.example/",
        app.asking() + "&client_id=x",
        "/oauth/authorize",
        "https://evil.example/oauth/authorize?x",
    ):
        policy = str(stranger.open(f"/login?next={quote(after, safe='')}").answer.header("Content-Security-Policy"))
        assert "form-action 'self';" in policy, after


def test_consent_page_can_be_framed_by_nobody(ada: Person, app: App) -> None:
    """Clickjacking: nobody's page can put ours under its own (RFC 9700 §4.16). Nor is it kept, or the referrer told."""
    page = ada.asked(app)
    headers = {name: page.answer.header(name) for name in ("X-Frame-Options", "Cache-Control", "Referrer-Policy")}
    assert headers == {"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    policy = str(page.answer.header("Content-Security-Policy"))
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy


def test_consent_from_elsewhere_is_forged(home: House, ada: Person, app: App) -> None:
    """Another site's form, one without this browser's token, or with another session's, decides nothing."""
    page = ada.asked(app)
    eve = someone(home, "Eve")
    token = dict(eve.asked(app).read.forms[-1].fields)["csrf"]
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


def test_decision_after_the_session_ended_is_none(home: House, ada: Person, app: App) -> None:
    """Logged out in another tab: log in again, and nothing was given."""
    page = ada.asked(app)
    home.clock.forward(13 * 3_600)
    answer = ada.decides(page)
    assert answer.location == "/login"


def test_decision_on_a_deleted_client_leads_nowhere(home: House, ada: Person, app: App) -> None:
    """It was deleted while its page was open."""
    page = ada.asked(app)
    clients.delete(app.client)
    answer = ada.decides(page)
    assert (answer.status, answer.location) == (400, "")


def test_each_yes_opens_a_grant_of_its_own(home: House, ada: Person, app: App) -> None:
    """Remembered or not: reuse on one device ends only that device."""
    ada.allows(app)
    ada.allows(app)
    assert len(list(Grant.by_account.query(ada.account.id))) == 2


def test_issuer_is_what_discovery_says_wherever_the_api_lives(home: House, ada: Person, app: App) -> None:
    """RFC 9207 §2.4: a client compares `iss` with the metadata's issuer to see through a mix-up."""
    issuer = home.call("GET", "/.well-known/oauth-authorization-server").json()["issuer"]
    refused = ada.asked(app, scope="nonsense").location
    denied = ada.decides(ada.asked(app), "deny").location
    silent = ada.asked(app, prompt="none").location
    assert {query_of(location)["iss"] for location in (refused, denied, silent, ada.allows(app))} == {issuer}
