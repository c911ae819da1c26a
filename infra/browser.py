"""A minimal browser that keeps cookies, submits the console's forms, and doesn't follow redirects to an OAuth client.

`make oauth-demo`, `make smoke` and tests use it for log-ins and a user's consent.
"""

import http.client
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from infra.local_gateway.response import Response

TIMEOUT_S = 30
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Sent:
    """A sent HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


Watch = Callable[[Sent, Response], None]


def call(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b"", *, watch: Watch | None = None
) -> Response:
    """Send one request, and return the response. Redirects aren't followed.

    `watch` is called with the request and the response.
    """
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection = connection_to(url)
    try:
        connection.request(method, target, body or None, dict(headers or {}))
        response = connection.getresponse()
        answer = Response(response.status, response.getheaders(), response.read())
    finally:
        connection.close()
    if watch is not None:
        watch(Sent(method, url, headers or {}, body), answer)
    return answer


def connection_to(url: str) -> http.client.HTTPConnection:
    """Create a connection to the host of a URL, with TLS for https, without opening it."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.netloc, timeout=TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Form:
    """An HTML form: its action, and the values of its fields."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console, or a redirect to another site, whose URL is in `leads_to`.

    `root` is the path prefix of the console, such as the API Gateway stage.
    """

    url: str
    answer: Response
    leads_to: str = ""
    root: str = ""

    def form(self, path: str) -> Form | None:
        """Return the form whose action is `path`, None if the page has no such form."""
        return next((form for form in self._read().forms if urlsplit(form.action).path == self.root + path), None)

    def value(self, element_id: str) -> str:
        """Return the value of the input or text area with the given id."""
        return self._read().values[element_id]

    def message(self) -> str:
        """Return the lead paragraph, which explains the error on an error page; "" if the page has none."""
        return " ".join(self._read().lead.split())

    def _read(self) -> "_Reader":
        reader = _Reader()
        reader.feed(self.answer.body.decode())
        return reader


@dataclass
class Browser:
    """A browser session with the console at `url`."""

    url: str
    watch: Watch | None = None
    cookies: dict[str, str] = field(default_factory=dict, repr=False)

    def open(self, url: str) -> Page:
        """Open a page: a path of the console, or the URL of an authorization request."""
        return self._follow("GET", url if "://" in url else self.url + url, {})

    def send(self, page: Page, path: str, **filled_in: str | Iterable[str]) -> Page:
        """Submit the form whose action is `path`. Raises LookupError if the page has no such form."""
        form = page.form(path)
        if form is None:
            raise LookupError(f"{page.url} has no form for {path}; its status is {page.answer.status}.")
        body = urlencode({**form.fields, **filled_in}, doseq=True).encode()
        # Send Origin as browsers do: the console rejects forms from other origins.
        parts = urlsplit(self.url)
        headers = {"Content-Type": FORM, "Origin": f"{parts.scheme}://{parts.netloc}"}
        return self._follow("POST", urljoin(self.url, form.action), headers, body)

    def log_in(self, email: str, password: str, page: Page | None = None) -> Page:
        """Submit the log-in form of `page`, by default of /login, and follow the redirects."""
        return self.send(page or self.open("/login"), "/login", email=email, password=password)

    def decide(self, url: str, decision: str, *, email: str, password: str) -> str:
        """Open an authorization request, log in and submit the decision if required, and return the redirect's URL."""
        page = self.open(url)
        if page.form("/login"):
            page = self.log_in(email, password, page)
        if page.form("/oauth/authorize"):
            page = self.send(page, "/oauth/authorize", decision=decision)
        if not page.leads_to:
            why = f"{page.answer.status}. {page.message()}".strip()
            raise LookupError(f"{page.url} doesn't redirect to a client: {why}")
        return page.leads_to

    def _follow(self, method: str, url: str, headers: dict[str, str], body: bytes = b"") -> Page:
        answer = self._exchange(method, url, headers, body)
        while location := answer.header("Location"):
            url = urljoin(url, location)
            if not url.startswith(f"{self.url}/"):
                return Page(url, answer, leads_to=url)
            answer = self._exchange("GET", url, {})
        return Page(url, answer, root=urlsplit(self.url).path)

    def _exchange(self, method: str, url: str, headers: dict[str, str], body: bytes = b"") -> Response:
        if self.cookies:
            headers = headers | {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        answer = call(method, url, headers, body, watch=self.watch)
        keep_cookies(self.cookies, [value for name, value in answer.headers if name.lower() == "set-cookie"])
        return answer


class _Reader(HTMLParser):
    """A parser that collects the forms of a page, the values of inputs and text areas by id, and the lead paragraph."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.values: dict[str, str] = {}
        self.lead = ""
        self._area: dict[str, str] | None = None
        self._is_in_lead = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "p":
            self._is_in_lead = not self.lead and given.get("class") == "lead"
        elif tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif tag == "textarea":
            self._area = given | {"value": ""}
        elif tag == "input" and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self._holds(given)

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area["value"] += data
        elif self._is_in_lead:
            self.lead += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._is_in_lead = False
        elif tag == "textarea" and self._area is not None:
            self._holds(self._area)
            self._area = None

    def _holds(self, given: dict[str, str]) -> None:
        value = given.get("value", "")
        if "id" in given:
            self.values[given["id"]] = value
        if "name" in given and self.forms:
            self.forms[-1].fields[given["name"]] = value


def keep_cookies(jar: dict[str, str], set_cookies: Iterable[str]) -> None:
    """Store the cookies that a response sets, and remove the cookies that it expires."""
    for cookie in set_cookies:
        pair, *attributes = cookie.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            jar.pop(name, None)
        else:
            jar[name] = value
