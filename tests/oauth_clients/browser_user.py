"""A user with a browser, who decides on a client's authorization requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import requests

from chalicelib.accounts.roles import service_user_of
from infra.browser import Browser
from tests.browser.console import PASSWORD, Console, User

REDIRECT = "http://127.0.0.1/callback"
"""The registered redirect URI. A client adds the port on which it listens (RFC 8252 §7.3)."""
CALLBACK = "http://127.0.0.1:49152/callback"
"""The redirect URI of a request. The browser doesn't open it, unless a test's client listens there."""
AT_CLIENT_METHODS = ("client_secret_basic", "client_secret_post", "none")


@dataclass(frozen=True, slots=True)
class Application:
    """A registered client with its credentials; a public one has no secret."""

    client_id: str
    client_secret: str | None


@dataclass(frozen=True, slots=True)
class BrowserUser:
    """A user with a browser in which nobody is logged in at first."""

    console: Console
    person: User
    browser: Browser

    @property
    def issuer(self) -> str:
        """Return the URL of the server."""
        return self.console.url

    @property
    def me(self) -> str:
        """Return the URL at which the API returns the user's own record."""
        return f"{self.issuer}/v1/users/me"

    def register_client(self, method: str = "client_secret_basic") -> Application:
        """Register a client in the console; it is public when `method` is `none`."""
        makers = Browser(self.issuer, cookies={"latchkey": self.console.session(self.person)})
        page = makers.open("/settings/applications/new")
        kind = "public" if method == "none" else "confidential"
        made = makers.send(
            page,
            "/settings/applications/new",
            name="A real client",
            redirect_uris=REDIRECT,
            kind=kind,
            scopes=["read", "write"],
        )
        return Application(made.value("client_id"), None if kind == "public" else made.value("secret"))

    def allow(self, authorization_url: str) -> str:
        """Log in, approve a client's request, and return the redirect location."""
        return self.browser.decide(authorization_url, "allow", email=self.person.email, password=PASSWORD)

    def deny(self, authorization_url: str) -> str:
        """Log in, deny a client's request, and return the redirect location."""
        return self.browser.decide(authorization_url, "deny", email=self.person.email, password=PASSWORD)

    def approve_device(self, verification_uri_complete: str) -> None:
        """Open the verification URL of a device, log in and approve."""
        page = self.browser.open(verification_uri_complete)
        if page.form("/login"):
            page = self.browser.log_in(self.person.email, PASSWORD, page)
        assert self.browser.send(page, "/device", decision="allow").answer.status == 200

    def is_described_by(self, response: Mapping[str, Any]) -> bool:
        """Return whether a response of /v1/users/me describes this user."""
        return bool(response["id"] == self.person.user_id)

    def is_represented_by(self, response: Mapping[str, Any]) -> bool:
        """Return whether a response of /v1/users/me describes the service user of this user's account."""
        return bool(response["id"] == service_user_of(self.person.id))

    def is_rejected(self, access_token: str) -> bool:
        """Return whether the API rejects a token."""
        headers = {"Authorization": f"Bearer {access_token}"}
        return requests.get(self.me, headers=headers, timeout=30).status_code == 401


def parameter(url: str, name: str) -> str:
    """Return the value of a query parameter of a URL."""
    return parse_qs(urlsplit(url).query)[name][0]


def with_parameter(url: str, name: str, value: str) -> str:
    """Return a URL in which a query parameter has another value."""
    parts = urlsplit(url)
    query = {**parse_qs(parts.query), name: [value]}
    return urlunsplit(parts._replace(query=urlencode(query, doseq=True)))
