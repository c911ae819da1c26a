"""A client of the authorization server, and a person who decides about it: what every test of a flow starts from."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from chalicelib.accounts import change, email_links, sessions, states
from chalicelib.accounts.tables import Account
from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client
from infra.standin import Answer
from tests.support.console_client import FORM, PASSWORD, ConsoleClient, Page, person
from tests.support.harness import TestApp

ISSUER = "https://api.example.com"
CALLBACK = "https://app.example.com/cb"
LOOPBACK = "http://127.0.0.1/cb"
PRIVATE = "com.example.app:/cb"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636 appendix B."""
GRANT_TYPES = clients.GRANT_TYPES
CODE, REFRESH, CLIENT, DEVICE = GRANT_TYPES

Parameters = Mapping[str, str | Iterable[str] | None]
"""What a request says; None leaves a parameter out, a list repeats it."""


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the header of HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def post(
    latchkey: TestApp,
    path: str,
    parameters: Parameters,
    *,
    headers: Mapping[str, str] | None = None,
    ip: str = "203.0.113.7",
) -> Answer:
    """Send a form."""
    body = urlencode(_given(parameters), doseq=True).encode()
    return latchkey.call("POST", path, body=body, headers={"Content-Type": FORM, **(headers or {})}, ip=ip)


def refusal(answer: Answer) -> tuple[int, str]:
    """Return the status and the `error` of an answer that must have the form of RFC 6749 §5.2."""
    body = answer.json()
    assert {"error", "error_description"} <= body.keys() <= {"error", "error_description", "message"}, body
    assert answer.header("Cache-Control") == "no-store"
    return answer.status, body["error"]


def query_of(location: str) -> dict[str, str]:
    """Return the query of a redirect, in which nothing stands twice."""
    return {name: value for name, (value,) in parse_qs(urlsplit(location).query, keep_blank_values=True).items()}


def works(latchkey: TestApp, token: str) -> bool:
    """Tell whether the API takes a token."""
    answer = latchkey.call("GET", "/v1/limits", token)
    assert answer.status in (200, 401), answer.body
    return answer.status == 200


@dataclass
class App:
    """A client, as its makers see it."""

    latchkey: TestApp
    client: Client
    secret: str | None = field(repr=False)
    redirect_uri: str
    proof: dict[str, str | None] = field(default_factory=dict)
    """What of PKCE its authorization requests carry."""

    @property
    def id(self) -> str:
        """Return its id."""
        return str(self.client.client_id)

    @property
    def credentials(self) -> dict[str, str]:
        """Return what it authenticates with in a body."""
        return {"client_id": self.id} | ({"client_secret": self.secret} if self.secret else {})

    def asking(self, **changed: str | Iterable[str] | None) -> str:
        """Return the target of an authorization request."""
        asked = {"client_id": self.id, "redirect_uri": self.redirect_uri, "response_type": "code", "state": "xyz"}
        return "/oauth/authorize?" + urlencode(_given({**asked, **self.proof, **changed}), doseq=True)

    def post(self, path: str, **parameters: str | Iterable[str] | None) -> Answer:
        """Send a request of its own, its credentials in the body."""
        return post(self.latchkey, path, {**self.credentials, **parameters})

    def ask(self, grant_type: str, **parameters: str | Iterable[str] | None) -> Answer:
        """Send a token request."""
        answer = self.post("/oauth/token", grant_type=grant_type, **parameters)
        if answer.status == 200:
            self.latchkey.secrets += [value for name, value in answer.json().items() if name in SECRET]
        return answer

    def redeem(self, code: str, **changed: str | Iterable[str] | None) -> Answer:
        """Send the token request for a code."""
        verifier = VERIFIER if self.proof.get("code_challenge") else None
        return self.ask(CODE, **{"code": code, "redirect_uri": self.redirect_uri, "code_verifier": verifier, **changed})

    def refresh(self, token: str, **more: str | Iterable[str] | None) -> Answer:
        """Send the token request for a refresh token."""
        return self.ask(REFRESH, refresh_token=token, **more)


SECRET = ("access_token", "refresh_token", "client_secret", "device_code", "registration_access_token")
PKCE: dict[str, str | None] = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def registered(
    latchkey: TestApp,
    *uris: str,
    owner: Account | None = None,
    public: bool = False,
    scopes: Iterable[str] = ("read", "write"),
    grant_types: Iterable[str] | None = None,
) -> App:
    """Register a client on behalf of an account, someone's unless it is named."""
    by_default = {CODE, REFRESH, DEVICE} | (set() if public else {CLIENT})
    made = clients.register(
        name="Photos",
        uris=list(uris) or [CALLBACK],
        auth_method="none" if public else "client_secret_post",
        grant_types=by_default if grant_types is None else set(grant_types),
        wanted=set(scopes),
        registered_by="account",
        account_id=(owner or latchkey.account(name="Owner")).id,
    )
    if made.secret:
        latchkey.secrets.append(made.secret)
    return App(latchkey, made.client, made.secret, (uris or (CALLBACK,))[0], PKCE if public else {})


@dataclass
class Person(ConsoleClient):
    """Somebody with an account, logged in, whom clients ask."""

    account: Account = field(kw_only=True)

    def asked(self, app: App, **changed: str | Iterable[str] | None) -> Page:
        """Go where a client sends them."""
        return self.open(app.asking(**changed))

    def decides(
        self,
        page: Page,
        decision: str = "allow",
        *,
        origin: str | None = "own",
        sent: Mapping[str, str] | None = None,
        **fields: str,
    ) -> Page:
        """Press a button of a consent page; the headers `sent` go beside those of any form."""
        (form,) = [form for form in page.read.forms if form.action.startswith("/oauth/authorize?")]
        filled = dict(form.fields) | {"decision": decision} | fields
        headers = {"Content-Type": FORM} | ({"Origin": self.origin if origin == "own" else origin} if origin else {})
        return self._exchanged("POST", form.action, headers | dict(sent or {}), urlencode(filled).encode())

    def allows(self, app: App, **changed: str | Iterable[str] | None) -> str:
        """Say yes, if asked at all; return where that leads."""
        page = self.asked(app, **changed)
        page = self.decides(page) if page.status == 200 else page
        assert page.status == 303, page.text
        return page.location

    def code(self, app: App, **changed: str | Iterable[str] | None) -> str:
        """Return the code that a yes is worth."""
        code = query_of(self.allows(app, **changed))["code"]
        self.latchkey.secrets.append(code)
        return code

    def tokens(self, app: App, **changed: str | Iterable[str] | None) -> dict[str, Any]:
        """Return the tokens that a yes is worth."""
        answer = app.redeem(self.code(app, **changed), redirect_uri=changed.get("redirect_uri", app.redirect_uri))
        assert answer.status == 200, answer.body
        tokens: dict[str, Any] = answer.json()
        return tokens

    def grant(self, app: App, **changed: str | Iterable[str] | None) -> tuple[str, str]:
        """Return the access token and the refresh token that a yes is worth."""
        tokens = self.tokens(app, **changed)
        return tokens["access_token"], tokens["refresh_token"]

    def logs_in_again(self) -> None:
        """Open another session, as after the old one ended."""
        self.cookies = {self.cookie_name("latchkey"): sessions.open_session(Account.get(self.account.id))}

    def proves_address(self) -> None:
        """Follow the link that proves the account's address, and log in again."""
        ticket = email_links.new_link(
            self.account.id, email_links.VERIFY_EMAIL, email=self.account.email, epoch=self.account.session_epoch
        )
        assert self.submit("/verify", on=f"/verify?ticket={ticket}").status == 303
        self.logs_in_again()

    def suspended(self) -> None:
        """Have an admin suspend the account."""
        change.set_standing(self.account.id, tier=None, status=states.SUSPENDED, actor="acc_admin")

    def leaves(self) -> None:
        """Delete the account, on the page for that."""
        assert self.submit("/settings/account/delete", on="/settings/account", password=PASSWORD).status == 303

    def reinstated(self) -> None:
        """Have an admin reinstate it."""
        change.set_standing(self.account.id, tier=None, status=states.ACTIVE, actor="acc_admin")


def someone(latchkey: TestApp, name: str = "Ada", **kind: Any) -> Person:
    """Return a new person, logged in."""
    account = person(name=name, **kind)
    console = Person(latchkey, account=account)
    console.logs_in_again()
    return console


def _given(parameters: Parameters) -> dict[str, str | Iterable[str]]:
    return {name: value for name, value in parameters.items() if value is not None}


def as_json(latchkey: TestApp, path: str, body: object, **headers: str) -> Answer:
    """Send a JSON body of any form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return latchkey.call(
        "POST", path, body=json.dumps(body).encode(), headers={"Content-Type": "application/json", **named}
    )
