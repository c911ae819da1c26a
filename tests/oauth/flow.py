"""A test client of the authorization server, and a user who decides on its requests."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from chalicelib.accounts import change, email_links, members, sessions, states, tables
from chalicelib.oauth import clients
from chalicelib.oauth.account_choice import Choice
from chalicelib.oauth.tables import Client
from infra.local_gateway.response import Response
from tests.support.console_client import FORM, PASSWORD, ConsoleClient, Page, new_account
from tests.support.harness import AccountOfTest, TestApp

ISSUER = "https://api.example.com"
CALLBACK = "https://app.example.com/cb"
LOOPBACK = "http://127.0.0.1/cb"
PRIVATE = "com.example.app:/cb"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""The PKCE verifier and challenge of RFC 7636 appendix B."""
GRANT_TYPES = clients.GRANT_TYPES
CODE, REFRESH, CLIENT, DEVICE = GRANT_TYPES

Parameters = Mapping[str, str | Iterable[str] | None]
"""Parameters of a request: None omits a parameter, a list repeats it."""


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return an Authorization header for HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def post(
    latchkey: TestApp,
    path: str,
    parameters: Parameters,
    *,
    headers: Mapping[str, str] | None = None,
    ip: str = "203.0.113.7",
) -> Response:
    """Send a request with a form body."""
    body = urlencode(_present(parameters), doseq=True).encode()
    return latchkey.call("POST", path, body=body, headers={"Content-Type": FORM, **(headers or {})}, ip=ip)


def error_of(response: Response) -> tuple[int, str]:
    """Return the status and the `error` of a response, and check that it has the format of RFC 6749 §5.2."""
    body = response.json()
    assert {"error", "error_description"} <= body.keys() <= {"error", "error_description", "message"}, body
    assert response.header("Cache-Control") == "no-store"
    return response.status, body["error"]


def query_of(location: str) -> dict[str, str]:
    """Return the query parameters of a redirect, and check that none is repeated."""
    return {name: value for name, (value,) in parse_qs(urlsplit(location).query, keep_blank_values=True).items()}


def is_accepted(latchkey: TestApp, token: str) -> bool:
    """Return whether the API accepts a token."""
    response = latchkey.call("GET", "/v1/limits", token)
    assert response.status in (200, 401), response.body
    return response.status == 200


@dataclass
class App:
    """A client with its credentials."""

    latchkey: TestApp
    client: Client
    secret: str | None = field(repr=False)
    redirect_uri: str
    proof: dict[str, str | None] = field(default_factory=dict)
    """The client's default PKCE parameters for authorization requests."""

    @property
    def id(self) -> str:
        """Return the client id."""
        return str(self.client.client_id)

    @property
    def credentials(self) -> dict[str, str]:
        """Return the client's credentials as body parameters."""
        return {"client_id": self.id} | ({"client_secret": self.secret} if self.secret else {})

    def authorization_path(self, **changed: str | Iterable[str] | None) -> str:
        """Return the path and query of an authorization request."""
        sent = {"client_id": self.id, "redirect_uri": self.redirect_uri, "response_type": "code", "state": "xyz"}
        return "/oauth/authorize?" + urlencode(_present({**sent, **self.proof, **changed}), doseq=True)

    def post(self, path: str, **parameters: str | Iterable[str] | None) -> Response:
        """Send a request with the client's credentials in the body."""
        return post(self.latchkey, path, {**self.credentials, **parameters})

    def ask(self, grant_type: str, **parameters: str | Iterable[str] | None) -> Response:
        """Send a token request."""
        response = self.post("/oauth/token", grant_type=grant_type, **parameters)
        if response.status == 200:
            self.latchkey.secrets += [value for name, value in response.json().items() if name in SECRET]
        return response

    def redeem(self, code: str, **changed: str | Iterable[str] | None) -> Response:
        """Send the token request that exchanges a code."""
        verifier = VERIFIER if self.proof.get("code_challenge") else None
        return self.ask(CODE, **{"code": code, "redirect_uri": self.redirect_uri, "code_verifier": verifier, **changed})

    def refresh(self, token: str, **more: str | Iterable[str] | None) -> Response:
        """Send the token request for a refresh token."""
        return self.ask(REFRESH, refresh_token=token, **more)


SECRET = ("access_token", "refresh_token", "client_secret", "device_code", "registration_access_token")
PKCE: dict[str, str | None] = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def register_client(
    latchkey: TestApp,
    *uris: str,
    owner: AccountOfTest | None = None,
    public: bool = False,
    scopes: Iterable[str] = ("read", "write"),
    grant_types: Iterable[str] | None = None,
) -> App:
    """Register a client for the account `owner`, or for a new account by default."""
    account = owner or latchkey.account(name="Owner")
    by_default = {CODE, REFRESH, DEVICE} | (set() if public else {CLIENT})
    new = clients.register(
        name="Photos",
        uris=list(uris) or [CALLBACK],
        auth_method="none" if public else "client_secret_post",
        grant_types=by_default if grant_types is None else set(grant_types),
        wanted=set(scopes),
        registered_by="account",
        account_id=account.id,
        user_id=account.user_id,
    )
    if new.secret:
        latchkey.secrets.append(new.secret)
    return App(latchkey, new.client, new.secret, (uris or (CALLBACK,))[0], PKCE if public else {})


@dataclass
class User(ConsoleClient):
    """A logged-in user, the resource owner of the flows."""

    account: AccountOfTest = field(kw_only=True)

    def open_authorization(self, app: App, **changed: str | Iterable[str] | None) -> Page:
        """Send a client's authorization request."""
        return self.open(app.authorization_path(**changed))

    def decide(
        self,
        page: Page,
        decision: str = "allow",
        *,
        origin: str | None = "own",
        sent: Mapping[str, str] | None = None,
        **fields: str,
    ) -> Page:
        """Submit a decision on a consent page; `sent` contains additional headers."""
        (form,) = [form for form in page.content.forms if form.action.startswith("/oauth/authorize?")]
        filled = dict(form.fields) | {"decision": decision} | fields
        headers = {"Content-Type": FORM} | ({"Origin": self.origin if origin == "own" else origin} if origin else {})
        return self._exchange("POST", form.action, headers | dict(sent or {}), urlencode(filled).encode())

    def allow(self, app: App, **changed: str | Iterable[str] | None) -> str:
        """Open a client's authorization request, approve it if the consent page is shown, and return the redirect
        location.
        """
        page = self.open_authorization(app, **changed)
        page = self.decide(page) if page.status == 200 else page
        assert page.status == 303, page.text
        return page.location

    def code(self, app: App, **changed: str | Iterable[str] | None) -> str:
        """Approve a request and return the code."""
        code = query_of(self.allow(app, **changed))["code"]
        self.latchkey.secrets.append(code)
        return code

    def tokens(self, app: App, **changed: str | Iterable[str] | None) -> dict[str, Any]:
        """Approve a request, exchange the code and return the token response."""
        response = app.redeem(self.code(app, **changed), redirect_uri=changed.get("redirect_uri", app.redirect_uri))
        assert response.status == 200, response.body
        tokens: dict[str, Any] = response.json()
        return tokens

    def grant(self, app: App, **changed: str | Iterable[str] | None) -> tuple[str, str]:
        """Approve a request, exchange the code and return the access token and the refresh token."""
        tokens = self.tokens(app, **changed)
        return tokens["access_token"], tokens["refresh_token"]

    def log_in_again(self) -> None:
        """Log in with a new session."""
        self.cookies = {self.cookie_name("latchkey"): sessions.open_session(tables.User.get(self.account.user_id))}

    def verify_email(self) -> None:
        """Open the link that verifies the account's email address, and log in again."""
        user = self.account.user
        ticket = email_links.new_link(user.id, email_links.VERIFY_EMAIL, email=user.email, epoch=user.session_epoch)
        assert self.submit("/verify", on=f"/verify?ticket={ticket}").status == 303
        self.log_in_again()

    def suspend(self) -> None:
        """Have an admin suspend the account."""
        change.set_tier_and_status(self.account.id, tier=None, status=states.SUSPENDED, actor="usr_admin")

    def delete_account(self) -> None:
        """Delete the account in the console."""
        assert self.submit("/settings/account/delete", on="/settings/account", password=PASSWORD).status == 303

    def reinstate(self) -> None:
        """Have an admin reinstate the account."""
        change.set_tier_and_status(self.account.id, tier=None, status=states.ACTIVE, actor="usr_admin")


def choice_of(account: AccountOfTest, *scopes: str) -> Choice:
    """Return the choice of an account in which the client gets these scopes, by default read and write."""
    membership = members.find(tables.User.get(account.user_id), account.id)
    return Choice(membership, frozenset(scopes or ("read", "write")))


def new_user(latchkey: TestApp, name: str = "Ada", **kind: Any) -> User:
    """Create a user who is logged in."""
    account = new_account(name=name, **kind)
    user = User(latchkey, account=account)
    user.log_in_again()
    return user


def _present(parameters: Parameters) -> dict[str, str | Iterable[str]]:
    return {name: value for name, value in parameters.items() if value is not None}


def as_json(latchkey: TestApp, path: str, body: object, **headers: str) -> Response:
    """Send a request with a JSON body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return latchkey.call(
        "POST", path, body=json.dumps(body).encode(), headers={"Content-Type": "application/json", **named}
    )
