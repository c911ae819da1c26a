"""A console client without a browser, which keeps cookies, submits the forms of a page and follows redirects.

Every path on a page must have the prefix of the deployment. The prefix is removed before a request is sent to the
gateway, as API Gateway does with its stage.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from html.parser import HTMLParser
from itertools import count
from urllib.parse import urlencode

import argon2

from chalicelib.accounts import sessions
from chalicelib.accounts.create import create_account
from chalicelib.accounts.password_attempts import Caller
from chalicelib.core import clock, randomness
from chalicelib.limits import tiers
from infra.browser import keep_cookies
from infra.local_gateway.response import Response
from tests.support.harness import AccountOfTest, TestApp

PASSWORD = "glacier mandolin porcupine"
ORIGIN = "https://api.example.com"
CALLER = Caller(("203.0.113.7",))
FORM = "application/x-www-form-urlencoded"
VOID = ("meta", "link", "input", "br", "img", "hr", "wbr")
Fields = Mapping[str, str | Iterable[str]]

_client_numbers = count()


@lru_cache(maxsize=8)
def hash_of(password: str) -> str:
    """Return a password hash that is cheap to verify, because a hash contains its cost parameters."""
    return argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


def new_account(
    *,
    email: str = "",
    name: str = "Ada",
    password: str = PASSWORD,
    tier: tiers.Tier = tiers.FREE,
    admin: bool = False,
    verified: bool = True,
) -> AccountOfTest:
    """Create an account whose owner has a password."""
    new = create_account(
        email=email or f"{name.split()[0].lower()}.{randomness.base62(6).lower()}@example.com",
        name=name,
        tier=tier,
        admin=admin,
        password_hash=hash_of(password),
        verified_at_ms=clock.now_ms() if verified else None,
    )
    return AccountOfTest(new)


@dataclass
class Form:
    """A form of a page with the values that a browser would submit without user input."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """A parser of pages, which collects forms, URLs, headings, notices and tables."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.urls: list[str] = []
        self.by_role: dict[str, list[str]] = {}
        self.text: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.rows: list[list[list[str]]] = []
        self._within: list[tuple[str, str]] = []
        self._select: str | None = None
        self._option: tuple[str | None, bool] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes |= given.keys()
        self.urls += [given[name] for name in ("href", "src", "action") if name in given]
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
        elif tag == "input":
            self._input(given)
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append([])
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option":
            self._option = given.get("value"), "selected" in given
        if tag not in VOID:
            self._within.append((tag, given.get("role", tag)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        opened, _ = self._within.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._option is not None:
            value, selected = self._option
            self._option = None
            if selected and self._select:
                self.forms[-1].fields.append((self._select, data if value is None else value))
        if self.rows and {"td", "th"} & {tag for tag, _ in self._within}:
            self.rows[-1][-1].append(data)
        for role in {role for _, role in self._within} & {"h1", "status", "alert"}:
            self.by_role.setdefault(role, []).append(data)

    def _input(self, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        if "name" in given and self.forms and (kind != "checkbox" or "checked" in given):
            self.forms[-1].fields.append((given["name"], given.get("value", "")))


@dataclass
class Page:
    """A response of the console, parsed when it is first needed."""

    answer: Response
    target: str

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return self.answer.status

    @property
    def html(self) -> str:
        """Return the HTML source."""
        return self.answer.body.decode()

    @property
    def location(self) -> str:
        """Return the target of a redirect, or "" for any other response."""
        return self.answer.header("Location") or ""

    @property
    def set_cookies(self) -> list[str]:
        """Return the Set-Cookie headers."""
        return [value for name, value in self.answer.headers if name.lower() == "set-cookie"]

    @cached_property
    def content(self) -> _Reader:
        """Return the parsed page."""
        reader = _Reader()
        reader.feed(self.html)
        return reader

    @property
    def urls(self) -> list[str]:
        """Return the URL of every link, form and file of the page."""
        return self.content.urls

    @property
    def text(self) -> str:
        """Return the text of the page, with single spaces."""
        return " ".join(" ".join(self.content.text).split())

    @property
    def notice(self) -> str:
        """Return the confirmation message, or ""."""
        return _join(self.content.by_role.get("status", ()))

    @property
    def problem(self) -> str:
        """Return the error message, or ""."""
        return _join(self.content.by_role.get("alert", ()))

    @property
    def heading(self) -> str:
        """Return the page's heading."""
        return _join(self.content.by_role.get("h1", ()))

    @property
    def secrets(self) -> list[str]:
        """Return the complete API keys on the page."""
        return re.findall(r"lk_(?:live|test)_[0-9A-Za-z]{36}", self.html)

    @property
    def rows(self) -> list[list[str]]:
        """Return the rows of all tables, each as a list of the cells' texts."""
        return [[" ".join(" ".join(cell).split()) for cell in row] for row in self.content.rows]

    def form(self, action: str) -> Form:
        """Return the form with this action; fail if there is none."""
        return next(form for form in self.content.forms if form.action == action)

    def value(self, action: str, name: str) -> str:
        """Return the value of a form field."""
        return next(value for field, value in self.form(action).fields if field == name)


def _join(texts: Iterable[str]) -> str:
    return " ".join("".join(texts).split())


@dataclass
class ConsoleClient:
    """A browser with a client address."""

    latchkey: TestApp
    origin: str = ORIGIN
    root: str = ""
    """The path prefix of the pages: "" or a stage like `/api`."""
    ip: str = field(default_factory=lambda: f"198.51.100.{next(_client_numbers) % 256}")
    cookies: dict[str, str] = field(default_factory=dict)
    agent: str = ""
    """The User-Agent header."""

    def open(self, target: str, **headers: str) -> Page:
        """Open a page, without following redirects."""
        return self._exchange("GET", target, {name.replace("_", "-"): value for name, value in headers.items()})

    def submit(self, action: str, *, on: str = "", **fields: str | Iterable[str]) -> Page:
        """Open the page `on` (by default the form's action), and submit its form for `action` with `fields`.

        If the page only links to a confirmation page, the form of the confirmation page is submitted.
        """
        page = self._open_confirmation(self.open(on or action), action, fields)
        return self.send(action, self.fill(page, action, fields))

    def _open_confirmation(self, page: Page, action: str, fields: Fields) -> Page:
        path = self.root + action.partition("?")[0]
        forms = [form for form in page.content.forms if form.action == path]
        if forms and forms[0].method == "get":
            return self.open(f"{action}?{urlencode(self.fill(page, action, fields), doseq=True)}")
        about = urlencode({name: value for name, value in fields.items() if name == "client_id"})
        links = [url for url in page.urls if url.partition("?")[0].startswith(path) and about in url]
        links = [url for url in links if self.local(url) != page.target]
        return page if forms or not links else self.open(self.local(links[0]))

    def fill(self, page: Page, action: str, fields: Fields) -> dict[str, str | Iterable[str]]:
        """Return the values of a page's form with `fields` filled in; fail if a field doesn't exist."""
        whole: dict[str, str | Iterable[str]] = {}
        for name, value in page.form(self.root + action.partition("?")[0]).fields:
            whole[name] = [*whole.get(name, ()), value]
        return whole | dict(fields)

    def token_fields(self, page: str = "/settings/account") -> dict[str, str]:
        """Return the fields with the CSRF token and the account that every form of a page contains."""
        fields = self.open(page).content.forms[0].fields
        return {name: value for name, value in fields if name in ("csrf", "account")}

    def send(self, target: str, fields: Fields, *, origin: str | None = "own", body: bytes = b"") -> Page:
        """Send a form or the raw `body`. By default the Origin header is the console's own; None omits the header."""
        headers = {"Content-Type": FORM}
        if origin is not None:
            headers["Origin"] = self.origin if origin == "own" else origin
        return self._exchange("POST", target.partition("?")[0], headers, body or urlencode(fields, doseq=True).encode())

    def follow(self, page: Page) -> Page:
        """Follow redirects until a page is reached."""
        while page.location:
            page = self.open(self.local(page.location))
        return page

    def local(self, path: str) -> str:
        """Return a path of a page without the deployment's prefix; fail if the path lacks the prefix."""
        assert path.startswith(f"{self.root}/"), f"{path} leaves {self.root}/"
        return path.removeprefix(self.root)

    def log_in(self, email: str, password: str = PASSWORD, **fields: str) -> Page:
        """Submit the log-in form."""
        return self.submit("/login", email=email, password=password, **fields)

    @property
    def session(self) -> str:
        """Return the session's secret from the cookie, or ""."""
        return self.cookies.get(self.cookie_name("latchkey"), "")

    @property
    def session_id(self) -> str:
        """Return the public id of the session."""
        found = sessions.session_of(self.session)
        assert found is not None
        return found.session.id

    def cookie_name(self, name: str) -> str:
        """Return the name that a cookie has at this origin."""
        return f"__Host-{name}" if self.origin.startswith("https:") else name

    def _exchange(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Page:
        if self.cookies:
            headers = headers | {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if self.agent:
            headers = headers | {"User-Agent": self.agent}
        page = Page(self.latchkey.call(method, target, headers=headers, body=body, ip=self.ip), target)
        keep_cookies(self.cookies, page.set_cookies)
        return page


def log_in_as(latchkey: TestApp, account: AccountOfTest, origin: str = ORIGIN) -> ConsoleClient:
    """Return a client with a new session of the account's user, from a device that the user hasn't used before."""
    console = ConsoleClient(latchkey, origin)
    console.cookies[console.cookie_name("latchkey")] = sessions.open_session(account.user)
    console.cookies[console.cookie_name("latchkey-account")] = account.id
    return console
