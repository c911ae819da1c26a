"""The authorization endpoint: which requests are valid, and the response to the client."""

from urllib.parse import urlencode

import pytest

from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client, Grant
from tests.oauth.flow import (
    CALLBACK,
    CHALLENGE,
    ISSUER,
    PKCE,
    VERIFIER,
    App,
    User,
    as_json,
    new_user,
    query_of,
    register_client,
)
from tests.support.console_client import ConsoleClient
from tests.support.harness import TestApp


def test_approval_redirects_with_a_code(ada: User, app: App) -> None:
    """RFC 6749 §4.1.2 and RFC 9207: the redirect contains the code, the unchanged state and the issuer."""
    location = ada.allow(app, state="a b&c=ü".encode().hex() + "~ &=%")
    assert location.startswith(f"{CALLBACK}?code=lk_ac_")
    query = query_of(location)
    assert query.keys() == {"code", "state", "iss"}
    assert (query["state"], query["iss"]) == ("a b&c=ü".encode().hex() + "~ &=%", ISSUER)


def test_response_has_no_state_when_none_was_sent(ada: User, app: App) -> None:
    """The redirect contains no `state` parameter if the request contained none."""
    assert query_of(ada.allow(app, state=None)).keys() == {"code", "iss"}


def test_denial_redirects_with_an_error(ada: User, app: App) -> None:
    """A denied request is redirected with access_denied, state and issuer (RFC 6749 §4.1.2.1)."""
    page = ada.decide(ada.open_authorization(app), "deny")
    assert page.status == 303
    query = query_of(page.location)
    assert {name: query[name] for name in ("error", "state", "iss")} == {
        "error": "access_denied",
        "state": "xyz",
        "iss": ISSUER,
    }
    assert "code" not in query
    assert ada.open_authorization(app).status == 200


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
    ({"prompt": "create"}, "invalid_request"),
    ({"prompt": "login create"}, "invalid_request"),
    ({"prompt": "NONE"}, "invalid_request"),
    ({"prompt": "none consent"}, "invalid_request"),
    ({"prompt": "login none"}, "invalid_request"),
    ({"response_mode": "form_post"}, "invalid_request"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "query.jwt"}, "invalid_request"),
    ({"scope": "openid nonsense"}, "invalid_scope"),
    ({"scope": ["read", "write"]}, "invalid_request"),
    ({"scope": ["read", "read"]}, "invalid_request"),
    ({"response_type": ["code", "token"]}, "invalid_request"),
    ({"prompt": ["consent", "login"]}, "invalid_request"),
    ({"response_mode": ["query", "query"]}, "invalid_request"),
    ({"code_challenge": [CHALLENGE, CHALLENGE]}, "invalid_request"),
    ({"code_challenge_method": ["S256", "plain"]}, "invalid_request"),
    ({"scope": "réad"}, "invalid_request"),
    ({"resource": f"{ISSUER}/é"}, "invalid_request"),
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
def test_invalid_request_is_redirected_to_the_client(
    latchkey: TestApp, ada: User, request: pytest.FixtureRequest, kind: str
) -> None:
    """Once client and redirect URI are valid, every error is redirected with its code, state and issuer."""
    app: App = request.getfixturevalue(kind)
    proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    for changed, error in WRONG:
        latchkey.clock.forward(1)
        page = ada.open_authorization(app, **{**proof, **changed})
        assert (page.status, page.location.partition("?")[0]) == (303, CALLBACK), changed
        query = query_of(page.location)
        assert query.keys() == {"error", "error_description", "state", "iss"}
        assert (query["error"], query["state"], query["iss"]) == (error, "xyz", ISSUER), changed
        assert not {'"', "\\"} & set(query["error_description"])


def test_malformed_state_is_invalid_and_returned_unchanged(ada: User, app: App) -> None:
    """RFC 6749 appendix A.5: a state outside VSCHAR is an error. The error redirect contains the state exactly as
    received.
    """
    for state in ("été", "a\tb", "a\r\nb", "🗝", "\x7f"):
        page = ada.open_authorization(app, state=state)
        assert page.location.startswith(f"{CALLBACK}?error=invalid_request&"), state
        assert query_of(page.location)["state"] == state


def test_repeated_state_is_invalid_and_not_returned(ada: User, app: App) -> None:
    """If a request contains two states, the error redirect contains no state, because it is ambiguous which state the
    client expects.
    """
    page = ada.open_authorization(app, state=["xyz", "abc"])
    assert page.location.startswith(f"{CALLBACK}?error=invalid_request&")
    assert query_of(page.location).keys() == {"error", "error_description", "iss"}


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_repeated_client_id_or_redirect_uri_is_not_redirected(ada: User, app: App, name: str) -> None:
    """A repeated client_id or redirect_uri shows an error page, even if both values are equal."""
    for other in ({"client_id": app.id, "redirect_uri": CALLBACK}[name], "x"):
        page = ada.open(f"{app.authorization_path()}&{urlencode({name: other})}")
        assert (page.status, page.location) == (400, "")
        assert f"{name} is repeated" in page.text


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent", "consent  select_account", " login"])
def test_prompt_requiring_a_page_asks_again(ada: User, app: App, prompt: str) -> None:
    """OpenID Connect Core §3.1.2.1: `login` and `select_account` show the consent page despite a remembered consent."""
    ada.allow(app)
    assert ada.open_authorization(app, prompt=prompt).status == 200
    assert query_of(ada.open_authorization(app, prompt=" ").location).keys() == {"code", "state", "iss"}


def test_response_mode_is_query_only(ada: User, app: App) -> None:
    """The response is in the query, whether the request has response_mode=query or no response_mode."""
    for mode in ("query", "", None):
        assert query_of(ada.allow(app, response_mode=mode)).keys() == {"code", "state", "iss"}


def test_openid_connect_scopes_are_ignored(ada: User, app: App) -> None:
    """OpenID Connect scopes are dropped, because many clients always send them; `openid` alone means the
    default scope.
    """
    expected = {
        "openid profile offline_access email": "read",
        "openid": "read",
        "address phone ": "read",
        "openid write": "write",
        "read openid write profile": "read write",
    }
    assert {scope: ada.tokens(app, scope=scope)["scope"] for scope in expected} == expected


NO_PKCE: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_self_registered_client_must_use_pkce(latchkey: TestApp, ada: User, method: str) -> None:
    """OAuth 2.1 §7.5.1: PKCE is required. A nonce can't replace it, because there is no ID token."""
    described = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": method}
    created = as_json(latchkey, "/oauth/register", described).json()
    app = App(latchkey, Client.get(created["client_id"]), created.get("client_secret"), CALLBACK, PKCE)
    for more in ({}, {"nonce": "n-0S6_WzA2Mj"}):
        page = ada.open_authorization(app, **NO_PKCE, **more)
        assert (page.status, "PKCE" in page.text) == (400, True)
    assert app.redeem(ada.code(app)).status == 200


def test_account_can_require_pkce_of_a_confidential_client(latchkey: TestApp, ada: User) -> None:
    """A confidential client may omit PKCE, as in the published documentation, until its account requires PKCE."""
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    path = f"/settings/applications/{app.id}"
    form = {"name": "Photos", "redirect_uris": CALLBACK}
    assert "Optional" in owner.open(path).text
    assert ada.allow(app).startswith(f"{CALLBACK}?code=")
    assert owner.submit(f"{path}/change", on=path, **form, pkce="required").status == 303
    assert "Required" in owner.open(path).text
    assert query_of(ada.open_authorization(app).location)["error"] == "invalid_request"
    app.proof = PKCE
    assert app.redeem(ada.code(app)).status == 200
    sent = owner.fill(owner.open(path), f"{path}/change", form)
    assert sent.pop("pkce") == ["required"]
    assert owner.send(f"{path}/change", sent).status == 303
    assert "code" in query_of(ada.allow(app, **NO_PKCE))


def test_confidential_client_can_be_registered_with_pkce_required(latchkey: TestApp, ada: User) -> None:
    """The form for a new application shows the PKCE setting, and keeps its value after an error in another field."""
    new = "/settings/applications/new"
    form = {"name": "Photos", "kind": "confidential", "scopes": "read", "pkce": "required"}
    wrong = ada.submit(new, redirect_uris="nonsense", **form)
    assert (wrong.status, wrong.value(new, "pkce")) == (400, "required")
    created = ada.submit(new, redirect_uris=CALLBACK, **form)
    (client,) = clients.list_of_account(ada.account.id)
    assert (created.status, client.must_use_pkce, client.is_public) == (200, True, False)


def test_public_client_must_use_pkce(ada: User, spa: App) -> None:
    """PKCE is required: without a challenge, anyone who sees a public client's code could redeem it."""
    page = ada.open_authorization(spa, code_challenge=None, code_challenge_method=None)
    assert query_of(page.location)["error"] == "invalid_request"
    assert "PKCE" in query_of(page.location)["error_description"]


def test_client_without_the_code_grant_is_unauthorized(latchkey: TestApp, ada: User) -> None:
    """A client that wasn't registered for authorization_code gets unauthorized_client."""
    app = register_client(latchkey, grant_types=["refresh_token"])
    assert query_of(ada.open_authorization(app).location)["error"] == "unauthorized_client"


def test_scope_defaults_to_read_and_is_limited_to_the_client(latchkey: TestApp, ada: User) -> None:
    """RFC 6749 §3.3: the granted scope is `read` by default, and limited to the client's scopes. The token response
    contains it.
    """
    app, reader = register_client(latchkey), register_client(latchkey, scopes=["read"])
    granted = [
        ada.tokens(app)["scope"],
        ada.tokens(app, scope="write")["scope"],
        ada.tokens(app, scope="write  read")["scope"],
        ada.tokens(reader, scope="read write")["scope"],
    ]
    assert granted == ["read", "write", "read write", "read"]
    assert query_of(ada.open_authorization(reader, scope="write").location)["error"] == "invalid_scope"


def test_consent_of_an_admin_grants_no_admin_scopes(latchkey: TestApp) -> None:
    """A token of an admin has neither the scope `keys` nor `admin`, so it can't create keys or call admin routes."""
    root, app = new_user(latchkey, "Root", admin=True), register_client(latchkey)
    for scope in ("admin", "keys", "verify", "read admin"):
        assert query_of(root.open_authorization(app, scope=scope).location)["error"] == "invalid_scope"
    token, _ = root.grant(app, scope="read write")
    rejected = [
        latchkey.call("GET", "/v1/keys", token),
        latchkey.call("POST", "/v1/keys", token, json_body={"name": "Mine", "scopes": ["read"]}),
        latchkey.call("POST", "/v1/accounts", token, json_body={"email": "eve@example.com", "name": "Eve"}),
    ]
    assert [(response.status, response.json()["error"]) for response in rejected] == [(403, "insufficient_scope")] * 3


def test_prompt_none_never_shows_a_page(latchkey: TestApp, ada: User, app: App) -> None:
    """A request with prompt=none is redirected with login_required or consent_required."""
    for console, error in ((ConsoleClient(latchkey), "login_required"), (ada, "consent_required")):
        page = console.open(app.authorization_path(prompt="none"))
        assert page.location.startswith(CALLBACK)
        query = query_of(page.location)
        assert (query["error"], query["state"], query["iss"]) == (error, "xyz", ISSUER)


def test_prompt_none_succeeds_with_remembered_consent(ada: User, app: App) -> None:
    """A request with prompt=none gets a code only for scopes with remembered consent."""
    ada.allow(app)
    assert query_of(ada.open_authorization(app, prompt="none").location).keys() == {"code", "state", "iss"}
    assert query_of(ada.open_authorization(app, prompt="none", scope="write").location)["error"] == "consent_required"


def test_each_approval_creates_its_own_grant(latchkey: TestApp, ada: User, app: App) -> None:
    """Each approval, with or without remembered consent, creates its own grant. Reuse of one device's tokens therefore
    doesn't revoke the grants of other devices.
    """
    ada.allow(app)
    ada.allow(app)
    assert len(list(Grant.by_account.query(ada.account.id))) == 2


def test_issuer_equals_the_one_in_discovery(latchkey: TestApp, ada: User, app: App) -> None:
    """RFC 9207 §2.4: `iss` equals the metadata's issuer, which clients compare to detect mix-up attacks."""
    issuer = latchkey.call("GET", "/.well-known/oauth-authorization-server").json()["issuer"]
    rejected = ada.open_authorization(app, scope="nonsense").location
    denied = ada.decide(ada.open_authorization(app), "deny").location
    silent = ada.open_authorization(app, prompt="none").location
    assert {query_of(location)["iss"] for location in (rejected, denied, silent, ada.allow(app))} == {issuer}
