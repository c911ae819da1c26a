"""Set up an OAuth exchange: a client, the consent of Ada's account, codes and tokens.

Each row is a `# given:` line of an exchange, with the placeholders that it defines:

    client REDIRECT …       register a confidential client of Ada's account with these redirect URIs: `{{client_id}}`,
                            `{{client_secret}}`, and both encoded for HTTP Basic, `{{basic}}`
    public client REDIRECT  register a client without a secret: `{{client_id}}`
    challenge               send the code challenge of RFC 7636 appendix B in later authorization requests
    logged in               log in Ada: `{{session}}` is the cookie, `{{csrf}}` the token of the consent form
    consent SCOPE …         approve the client for these scopes
    code SCOPE …            approve the client and get a code: `{{code}}`
    tokens SCOPE …          approve the client and get tokens: `{{access_token}}` and `{{refresh_token}}`
    device SCOPE …          request a device authorization: `{{device_code}}` and `{{user_code}}`
    decided DECISION        enter the user code as Ada, and allow or deny the device

Values that a response creates have the placeholders `{{new_code}}`, `{{new_access_token}}`, `{{new_client_id}}` and so
on.
"""

import re
from dataclasses import dataclass
from typing import Any

from chalicelib.accounts import sessions
from infra.local_gateway.response import Response
from tests.oauth.flow import PKCE, App, User, basic, register_client
from tests.support.harness import AccountOfTest, TestApp

SECRETS = (
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
    """The OAuth flow of one client with Ada's account."""

    latchkey: TestApp
    ada: AccountOfTest
    names: dict[str, str]
    app: App | None = None
    browser: User | None = None

    @property
    def client(self) -> App:
        """Return the client; fail if the file doesn't define a client."""
        assert self.app, "a `# given: client` line is missing"
        return self.app

    @property
    def ada_browser(self) -> User:
        """Return Ada's browser, which has a session."""
        if self.browser is None:
            self.browser = User(self.latchkey, account=self.ada)
            secret = sessions.open_session(self.ada.user)
            self.browser.cookies[self.browser.cookie_name("latchkey")] = self.names["session"] = secret
        return self.browser

    def set_up(self, words: list[str]) -> bool:
        """Set up the state of one `# given:` line; return False for an unknown line."""
        match words:
            case ["client", *uris]:
                self.app = self._register(uris, public=False)
            case ["public", "client", *uris]:
                self.app = self._register(uris, public=True)
            case ["challenge"]:
                self.client.proof = PKCE
            case ["logged", "in"]:
                form = self.ada_browser.open_authorization(self.client).content.forms[-1]
                self.names["csrf"] = dict(form.fields)["csrf"]
            case ["consent", *scopes]:
                self.ada_browser.allow(self.client, scope=" ".join(scopes))
            case ["code", *scopes]:
                self.names["code"] = self.ada_browser.code(self.client, scope=" ".join(scopes))
            case ["tokens", *scopes]:
                self.names |= _secrets_of(self.ada_browser.tokens(self.client, scope=" ".join(scopes)))
            case ["device", *scopes]:
                response = self.client.post("/oauth/device_authorization", scope=" ".join(scopes))
                self.names |= _secrets_of(response.json())
            case ["decided", decision]:
                target = f"/device?user_code={self.names['user_code']}"
                self.ada_browser.submit("/device", on=target, decision=decision)
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


def new_names(response: Response) -> dict[str, str]:
    """Return the placeholders for new values in a response, and these values."""
    code = re.search(r"[?&]code=([^&]+)", response.header("Location") or "")
    names = {"new_code": code[1]} if code else {}
    if response.status in (200, 201) and response.body and response.header("Content-Type") == "application/json":
        names |= {f"new_{name}": value for name, value in _secrets_of(response.json()).items()}
    return names


def _secrets_of(body: Any) -> dict[str, str]:
    if not isinstance(body, dict):
        return {}
    return {name: body[name] for name in SECRETS if isinstance(body.get(name), str)}
