"""Somebody with an account, at a browser, whom a client asks for a yes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import requests

from infra.browser import Browser
from tests.browser.console import PASSWORD, Console, User

REDIRECT = "http://127.0.0.1/callback"
"""What is registered. A client adds the port that it happens to listen on (RFC 8252 §7.3)."""
CALLBACK = "http://127.0.0.1:49152/callback"
"""What is asked for. Nothing listens there unless the client of a test does: the browser stops before it."""
AT_CLIENT_METHODS = ("client_secret_basic", "client_secret_post", "none")


@dataclass(frozen=True, slots=True)
class Application:
    """A registered client: what its makers copy from the page. A public one has no secret."""

    client_id: str
    client_secret: str | None


@dataclass(frozen=True, slots=True)
class Someone:
    """A person, and the browser in which nobody is logged in at first."""

    console: Console
    person: User
    browser: Browser

    @property
    def issuer(self) -> str:
        """Return the URL of the server."""
        return self.console.url

    @property
    def me(self) -> str:
        """Return the URL of one's own record."""
        return f"{self.issuer}/v1/users/me"

    def registers(self, method: str = "client_secret_basic") -> Application:
        """Register a client on the page; it is public when its `method` of authentication is `none`."""
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

    def allows(self, authorization_url: str) -> str:
        """Log in and say yes where a client sent them; return the URL at which the client is answered."""
        return self.browser.decide(authorization_url, "allow", email=self.person.email, password=PASSWORD)

    def denies(self, authorization_url: str) -> str:
        """Say no instead."""
        return self.browser.decide(authorization_url, "deny", email=self.person.email, password=PASSWORD)

    def connects(self, verification_uri_complete: str) -> None:
        """Open what a device shows, log in and say yes."""
        page = self.browser.open(verification_uri_complete)
        if page.form("/login"):
            page = self.browser.log_in(self.person.email, PASSWORD, page)
        assert self.browser.send(page, "/device", decision="allow").answer.status == 200

    def is_named_by(self, answer: Mapping[str, Any]) -> bool:
        """Tell whether an answer of /v1/users/me is about them."""
        return bool(answer["id"] == self.person.id)

    def refuses(self, access_token: str) -> bool:
        """Tell whether the API refuses a token."""
        headers = {"Authorization": f"Bearer {access_token}"}
        return requests.get(self.me, headers=headers, timeout=30).status_code == 401


def parameter(url: str, name: str) -> str:
    """Return a parameter of a URL's query."""
    return parse_qs(urlsplit(url).query)[name][0]


def with_parameter(url: str, name: str, value: str) -> str:
    """Return a URL with another value for a parameter."""
    parts = urlsplit(url)
    query = {**parse_qs(parts.query), name: [value]}
    return urlunsplit(parts._replace(query=urlencode(query, doseq=True)))
