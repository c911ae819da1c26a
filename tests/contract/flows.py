"""What an exchange with the authorization server starts from: a client of Ada's, her yes, codes and tokens.

    client REDIRECT …       a confidential client of Ada's with these redirect URIs: `{{client_id}}` and
                            `{{client_secret}}`, and both as HTTP Basic has them, `{{basic}}`
    public client REDIRECT  the same without a secret
    challenge               its authorization requests carry the challenge of RFC 7636 appendix B
    logged in               Ada's browser: `{{session}}` is its cookie, `{{csrf}}` what its consent form carries
    consent SCOPE …         Ada said yes to that
    code SCOPE …            and this is what it was worth: `{{code}}`
    tokens SCOPE …          or rather that: `{{access_token}}` and `{{refresh_token}}`
    device SCOPE …          a device waits: `{{device_code}}`, `{{user_code}}`
    decided DECISION        Ada typed its code, and pressed that button

What an answer makes is shown as `{{new_code}}`, `{{new_access_token}}`, `{{new_client_id}}` and so on.
"""

import re
from dataclasses import dataclass
from typing import Any

from chalicelib.accounts import sessions
from chalicelib.accounts.tables import Account
from infra.standin import Answer
from tests.oauth.flow import PKCE, App, User, basic, register_client
from tests.support.harness import TestApp

MADE = (
    "access_token",
    "refresh_token",
    "device_code",
    "user_code",
    "client_id",
    "client_secret",
    "registration_access_token",
)


@dataclass
class Flow:
    """The flow of one client for Ada."""

    latchkey: TestApp
    ada: Account
    names: dict[str, str]
    app: App | None = None
    browser: User | None = None

    @property
    def client(self) -> App:
        """Return the client; a file that forgets it fails."""
        assert self.app, "no client is given"
        return self.app

    @property
    def person(self) -> User:
        """Return Ada's browser, in which she is logged in."""
        if self.browser is None:
            self.browser = User(self.latchkey, account=self.ada)
            secret = sessions.open_session(self.ada)
            self.browser.cookies[self.browser.cookie_name("latchkey")] = self.names["session"] = secret
        return self.browser

    def given(self, words: list[str]) -> bool:
        """Make one `# given:` line so; return False when it is none of these."""
        match words:
            case ["client", *uris]:
                self.app = self._register(uris, public=False)
            case ["public", "client", *uris]:
                self.app = self._register(uris, public=True)
            case ["challenge"]:
                self.client.proof = PKCE
            case ["logged", "in"]:
                form = self.person.open_authorization(self.client).read.forms[-1]
                self.names["csrf"] = dict(form.fields)["csrf"]
            case ["consent", *scopes]:
                self.person.allow(self.client, scope=" ".join(scopes))
            case ["code", *scopes]:
                self.names["code"] = self.person.code(self.client, scope=" ".join(scopes))
            case ["tokens", *scopes]:
                self.names |= _secrets_of(self.person.tokens(self.client, scope=" ".join(scopes)))
            case ["device", *scopes]:
                answer = self.client.post("/oauth/device_authorization", scope=" ".join(scopes))
                self.names |= _secrets_of(answer.json())
            case ["decided", decision]:
                target = f"/device?user_code={self.names['user_code']}"
                self.person.submit("/device", on=target, decision=decision)
            case _:
                return False
        return True

    def _register(self, uris: list[str], *, public: bool) -> App:
        app = register_client(self.latchkey, *uris, owner=self.ada, public=public)
        self.names["client_id"] = app.id
        if app.secret:
            header = basic(app.id, app.secret)["Authorization"]
            self.names |= {"client_secret": app.secret, "basic": header.removeprefix("Basic ")}
        return app


def new_names(answer: Answer) -> dict[str, str]:
    """Return names for what an answer has made."""
    code = re.search(r"[?&]code=([^&]+)", answer.header("Location") or "")
    names = {"new_code": code[1]} if code else {}
    if answer.status in (200, 201) and answer.body and answer.header("Content-Type") == "application/json":
        names |= {f"new_{name}": value for name, value in _secrets_of(answer.json()).items()}
    return names


def _secrets_of(body: Any) -> dict[str, str]:
    if not isinstance(body, dict):
        return {}
    return {name: body[name] for name in MADE if isinstance(body.get(name), str)}
