"""What every page passes through: session, CSRF and Origin, the answer's headers, and errors as pages.

A page's view gets a Visit and returns Shown or Gone. Heavy imports (templates, argon2) wait until a page is asked for.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from chalice.app import Blueprint, Response

from chalicelib.accounts.email_not_sent import MailNotSent
from chalicelib.api import client_address
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import Rules, route_with
from chalicelib.core import errors, http_syntax, randomness, secrets
from chalicelib.events import actors

if TYPE_CHECKING:
    from chalicelib.accounts.sessions import LoggedIn
    from chalicelib.api.fields import Field
    from chalicelib.pages.form import Refused

FORM = "application/x-www-form-urlencoded"
SESSION, DEVICE, VISIT = "latchkey", "latchkey-device", "latchkey-visit"
EMAIL = "latchkey-email"
"""The address that the form to log in begins with, after a link that was for it: in no URL, and for minutes."""
SESSION_S, DEVICE_S = 14 * 86_400, 365 * 86_400
FORM_BYTES_MAX = 64 * 1024
REPEATED_BYTES_MAX = 4 * FORM_BYTES_MAX
"""What was typed into a form that is too long is shown again up to here."""
FIELDS_MAX = 100
HOME = "/settings/keys"
"""Where people land after log-in."""


class LogInFirst(Exception):
    """This page is for people who are logged in."""


class Forged(errors.LatchkeyError):
    """A form that wasn't filled in on our page, or on one that is too old."""

    status, error = 403, "forged"

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__("This form is out of date, or came from elsewhere. Open the page again and repeat it.")


class Outdated(Forged):
    """A form of our own page that is too old: its page is shown again, with what was typed into it."""

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__()
        self.message = "This page was open for too long. Check what you typed, and send it again."


class TooLong(errors.LatchkeyError):
    """A form that holds more than any page here asks for."""

    status, error = 413, "too_long"

    def __init__(self) -> None:
        """Say how to go on."""
        most = f"{FORM_BYTES_MAX // 1024} KB"
        super().__init__(f"This form is too long: it may hold {most}. Shorten what you typed, and send it again.")


@dataclass(frozen=True, slots=True)
class Shown:
    """A page to show."""

    template: str
    matter: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gone:
    """Elsewhere: a path of this console, and what to say there."""

    path: str
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Away:
    """Out of the house: to a client's redirect URI, which was checked, and the client's name where it is known."""

    url: str
    client: str = ""


@dataclass
class Visit:
    """One look at a page, or one form."""

    exchange: Exchange
    base_url: str
    cookies: dict[str, str]
    form: dict[str, list[str]] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)
    forms_may_leave: bool = False
    """Whether a form of this page may lead away from here, through any chain of redirects: to an OAuth client."""
    may_ask_the_api: bool = False
    """Whether a script of this page may send requests, to this very API and nowhere else."""
    refused: "Refused | None" = None
    """The form that was sent, where it was refused: its page keeps what was typed and shows what is wrong where."""
    _logged_in: "LoggedIn | None" = None
    _asked: bool = False

    @property
    def root(self) -> str:
        """Return the path under which all pages live, without a slash at the end."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def secure(self) -> bool:
        """Tell whether this is https; plain http is for loopback only."""
        return self.base_url.startswith("https:")

    @property
    def query(self) -> dict[str, str]:
        """Return the query; of a repeated parameter the last counts."""
        return self.exchange.parameters

    @property
    def logged_in(self) -> "LoggedIn | None":
        """Return who is logged in, asking the database once."""
        if not self._asked:
            from chalicelib.accounts import sessions

            secret = self.cookie(SESSION)
            self._logged_in = sessions.session_of(secret) if secret else None
            self._asked = True
            if self._logged_in is not None:
                actors.is_known_as(self._logged_in.session.id, self._logged_in.account.id)
        return self._logged_in

    @property
    def person(self) -> "LoggedIn":
        """Return who is logged in; raise LogInFirst when nobody is."""
        if self.logged_in is None:
            raise LogInFirst
        return self.logged_in

    def text(self, name: str) -> str:
        """Return a field of the form, "" when it is absent."""
        return self.form.get(name, [""])[-1]

    def given(self, name: str) -> str:
        """Return a field of the form, or else a parameter of the query, "" when both are absent."""
        return self.text(name) or self.query.get(name, "")

    def chosen(self, name: str) -> list[str]:
        """Return every value that the query has for a parameter: which of several boxes were ticked."""
        parameters = self.exchange.request.query_params
        return list(parameters.getlist(name)) if parameters and name in parameters else []

    def check(self, name: str, kind: "Field", value: object = None) -> Any:
        """Return a field of the form as `kind` takes it; raise InvalidRequest in the words of the page, about it."""
        from chalicelib.pages import labels

        with errors.about(name):
            return kind.check(labels.FIELDS[name], self.text(name) if value is None else value)

    def refused_by(self, error: errors.LatchkeyError, shown: "Shown") -> "Shown":
        """Return the page of a form that was refused: with what was typed, and the error at the field it is about."""
        from chalicelib.pages import form

        path = self.exchange.request.to_original_event()["path"]
        self.refused = form.refused(path, self.form or self.exchange.request.query_params or {}, error)
        return replace(shown, status=error.status, headers=shown.headers | error.headers)

    def cookie(self, name: str) -> str:
        """Return a cookie of ours, "" when it is absent."""
        return self.cookies.get(self._cookie_name(name), "")

    def set_cookie(self, name: str, value: str, *, lives_s: int) -> None:
        """Set a cookie of ours with the answer; `lives_s` 0 deletes it."""
        secure = "; Secure" if self.secure else ""
        lives = f"; Max-Age={lives_s}"
        self.set_cookies.append(f"{self._cookie_name(name)}={value}; Path=/; HttpOnly; SameSite=Lax{lives}{secure}")

    def csrf(self) -> str:
        """Return what a form of this browser must carry: bound to its session, or to its visit before log-in."""
        return secrets.digest(f"csrf {self.cookie(SESSION) or self._visit_cookie()}")[:32]

    def browser(self) -> str:
        """Return what tells this browser from any other before log-in: the digest of its visit, which may begin now."""
        return secrets.digest(f"browser {self._visit_cookie()}")

    def _visit_cookie(self) -> str:
        if not self.cookie(VISIT):
            self.cookies[self._cookie_name(VISIT)] = visit = randomness.base62(30)
            self.set_cookie(VISIT, visit, lives_s=86_400)
        return self.cookie(VISIT)

    def _cookie_name(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name


ON_ITS_FORM = (
    *(errors.InvalidRequest, errors.Conflict, errors.InsufficientScope, errors.RateLimited, MailNotSent),
    *(Outdated, TooLong),
)
"""What is wrong with a form, or with when it is sent: its page is shown again. Any other error is a page of its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page: its path, and its view as `module.function` below `chalicelib.api.console`, imported when needed."""

    path: str
    view: str

    def show(self, visit: Visit, parameters: dict[str, str]) -> "Shown | Gone | Away":
        """Return what its view makes of a visit."""
        module, _, name = self.view.rpartition(".")
        shown: Shown | Gone | Away = getattr(import_module(f"chalicelib.api.console.{module}"), name)(
            visit, **parameters
        )
        return shown


def page(blueprint: Blueprint, method: str, here: Place, form: Place | None = None) -> None:
    """Register a page, or what a form is sent to: `form` is the page on which that stands."""

    def shown(exchange: Exchange, **parameters: str) -> Response:
        visit = Visit(exchange, client_address.base_url(exchange.request), _cookies(exchange))
        try:
            with _shown_on_its_form(visit, form, parameters):
                if method == "POST":
                    _read_form(visit)
                return _answered(visit, here.show(visit, parameters))
        except _ShownInstead as instead:
            return _answered(visit, instead.page)
        except LogInFirst:
            # A form of the settings leads back to its page; a client sends its own request anew.
            is_ours = form is not None and form.path.startswith(("/settings", "/admin"))
            page_of_form = form.path.format(**parameters) if form is not None and is_ours else ""
            back = _asked_for(exchange) if method == "GET" else page_of_form
            return _gone(visit, f"/login?{urlencode({'next': back})}" if back else "/login")
        except errors.LatchkeyError as error:
            return _error_page(visit, error)

    shown.__name__ = f"{method.lower()}_{here.view.rpartition('.')[2]}"
    route_with(blueprint, here.path, methods=[method], rules=Rules(refusal=plain_error_page), takes=(FORM,))(shown)


def lead(blueprint: Blueprint, path: str, to: str) -> None:
    """Lead whoever opens `path`, where only a form is sent to, to the page of that form."""

    def led(exchange: Exchange, **parameters: str) -> Response:
        visit = Visit(exchange, client_address.base_url(exchange.request), {})
        return _gone(visit, to.format(**parameters))

    led.__name__ = f"lead_to_{to.strip('/').replace('/', '_') or 'start'}"
    route_with(blueprint, path, methods=["GET"], rules=Rules(refusal=_error_on_the_way))(led)


def _error_on_the_way(error: errors.LatchkeyError, exchange: Exchange) -> Response:
    return plain_error_page(error, exchange)


class _ShownInstead(Exception):
    def __init__(self, page: "Shown | Gone | Away") -> None:
        super().__init__("the page of the form")
        self.page = page


@contextmanager
def _shown_on_its_form(visit: Visit, form: Place | None, parameters: dict[str, str]) -> Iterator[None]:
    """Show the page of a form again that is refused, so that nothing that was typed is lost."""
    try:
        yield
    except ON_ITS_FORM as error:
        again = _page_of(visit, form, parameters)
        if again is None:
            raise
        raise _ShownInstead(visit.refused_by(error, again)) from error


def local_path(path: str) -> str:
    """Return `path` when it leads to a page of this console, else to the keys: no redirect leaves the house."""
    # `//host` is the only form of a path that could lead elsewhere: looked at by its characters alone, since what is no
    # URL at all, like `//[`, is an error to a parser.
    is_local = path.startswith("/") and not path.startswith("//")
    clean = path.isascii() and path.isprintable() and "\\" not in path
    return path if is_local and clean else HOME


def _page_of(visit: Visit, form: Place | None, parameters: dict[str, str]) -> Shown | None:
    """Return the page of a form; None where there is none, or nothing to show on it any more."""
    try:
        shown = form.show(visit, parameters) if form is not None else None
    except errors.LatchkeyError:
        return None
    return shown if isinstance(shown, Shown) else None


def seen_with(visit: Visit) -> dict[str, str]:
    """Return where a session is opened, as its account is shown it: the network around the address, and the browser."""
    from chalicelib.accounts import user_agent

    request = visit.exchange.request
    network = client_address.neighbourhood(client_address.source_ip(request))
    return {"network": network, "browser": user_agent.in_words(request.headers.get("user-agent", ""))}


def plain_error_page(error: errors.LatchkeyError, exchange: Exchange) -> Response:
    """Return an error as a page without asking who looks: the limits, or a fault, have the word."""
    from chalicelib.pages import labels

    message = labels.in_one_second(error.message)
    response = plain_page(exchange, "error", title=_title(error.status), message=message)
    response.headers.update(error.headers)
    response.status_code = error.status
    return response


def plain_page(exchange: Exchange, template: str, **matter: Any) -> Response:
    """Return a page that is the same for everybody: nobody is asked who looks, and nothing is read for it."""
    from chalicelib.pages import render

    base_url = client_address.base_url(exchange.request)
    frame = render.Frame(urlsplit(base_url).path, base_url, "", None, is_admin=False, notice=None, here="")
    html = render.page(template, frame, **matter)
    return Response(html, headers=dict(_headers(FORMS_STAY, secure=base_url.startswith("https:"))))


def _read_form(visit: Visit) -> None:
    """Read the form, and refuse one that another site sent: its Origin differs, or it lacks this browser's token."""
    request = visit.exchange.request
    origin = client_address.only(request, "origin")
    own = urlsplit(visit.base_url)
    raw = request.raw_body
    if origin != f"{own.scheme}://{own.netloc}":
        raise Forged
    if len(raw) <= REPEATED_BYTES_MAX:
        for name, value in _pairs(raw):
            visit.form.setdefault(name, []).append(value)
    if len(raw) > FORM_BYTES_MAX:
        raise TooLong
    bound_to = visit.cookie(SESSION) or visit.cookie(VISIT)
    if not bound_to or not hmac.compare_digest(visit.text("csrf").encode(), visit.csrf().encode()):
        raise Outdated


def _pairs(raw: bytes | str) -> list[tuple[str, str]]:
    """Return the fields of a form; raise InvalidRequest when it can't be read."""
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except UnicodeError:
        raise errors.InvalidRequest("The form can't be read: it must be UTF-8.") from None
    except ValueError:
        raise errors.InvalidRequest(
            f"The form has more than {FIELDS_MAX} fields, which no page here asks for."
        ) from None


def _answered(visit: Visit, result: Shown | Gone | Away) -> Response:
    if isinstance(result, Away):
        if result.url.startswith(("https:", "http:")) or not client_address.opens_a_page(visit.exchange.request):
            return _sent_to(visit, result.url)
        # An app takes over, and the browser stays where it is: not on the form, but on a page that leads there and says
        # so. What is no browser gets the redirect of RFC 6749 §4.1.2 in any case.
        return _html(visit, "left", {"destination": result.url, "client": result.client}, 200, {})
    if isinstance(result, Gone):
        notice = f"{'&' if '?' in result.path else '?'}done={quote(result.notice)}" if result.notice else ""
        return _gone(visit, result.path + notice)
    return _html(visit, result.template, result.matter, result.status, result.headers)


def _gone(visit: Visit, path: str) -> Response:
    return _sent_to(visit, f"{visit.root}{path}")


def _sent_to(visit: Visit, url: str) -> Response:
    headers = _headers(FORMS_STAY, secure=visit.secure)
    headers["Location"] = url
    return Response("", headers=_with_cookies(headers, visit), status_code=303)


def _error_page(visit: Visit, error: errors.LatchkeyError) -> Response:
    from chalicelib.pages import labels

    matter = {"title": _title(error.status), "message": labels.in_one_second(error.message)}
    return _html(visit, "error", matter, error.status, error.headers)


def _html(visit: Visit, template: str, matter: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    from chalicelib.pages import labels, render

    account = visit.logged_in.account if visit.logged_in else None
    frame = render.Frame(
        root=visit.root,
        base_url=visit.base_url,
        csrf=visit.csrf(),
        email=account.email if account else None,
        is_admin=bool(account and account.admin),
        notice=labels.notice(visit.query.get("done", ""), visit.exchange.request.path),
        here=visit.exchange.request.path,
        refused=visit.refused,
    )
    html = render.page(template, frame, **matter)
    forms = FORMS_MAY_LEAVE if visit.forms_may_leave else FORMS_STAY
    all_headers = _headers(forms, secure=visit.secure) | headers
    if visit.may_ask_the_api:
        all_headers["Content-Security-Policy"] += "; connect-src 'self'"
    return Response(html, headers=_with_cookies(all_headers, visit), status_code=status)


FORMS_STAY, FORMS_MAY_LEAVE = " form-action 'self';", ""
"""What a page's policy says of its forms.

Chrome applies `form-action` to every redirect that follows a form, also to those of the client that a person is sent
back to, and nobody can list these beforehand. So the pages from which a form may lead there have no such directive.
"""


def _headers(forms: str, *, secure: bool) -> dict[str, str]:
    """Return the headers of every page."""
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none';"
        f"{forms} frame-ancestors 'none'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if secure:
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return headers


def _with_cookies(headers: dict[str, str], visit: Visit) -> dict[str, str | list[str]]:
    every: dict[str, str | list[str]] = dict(headers)
    if visit.set_cookies:
        every["Set-Cookie"] = visit.set_cookies
    return every


def _cookies(exchange: Exchange) -> dict[str, str]:
    """Return the cookies by name; of two with one name the first counts, which is the one a browser holds closer.

    By hand: the standard library stops at the first cookie it doesn't like, and others share our domain's jar. A name
    is a token (RFC 6265 §4.1.1): browsers give `__Host-` its meaning only where the name begins with it, so nothing but
    spaces and tabs may be taken off before it. A value that isn't ASCII is none of ours.
    """
    cookies: dict[str, str] = {}
    # Over HTTP/2 a client may send them in several fields (RFC 9113 §8.2.3).
    for pair in client_address.joined(exchange.request, "cookie", "; ").split(";"):
        name, equals, value = http_syntax.trimmed(pair).partition("=")
        if equals and http_syntax.is_token(name) and value.isascii():
            cookies.setdefault(name, value)
    return cookies


def _asked_for(exchange: Exchange) -> str:
    event = exchange.request.to_original_event()
    query = urlencode(event.get("multiValueQueryStringParameters") or {}, doseq=True)
    return f"{event['path']}?{query}" if query else str(event["path"])


_TITLES = {404: "Page not found", 410: "This link is spent", 429: "Too many requests"}


def _title(status: int) -> str:
    return _TITLES.get(status, "That didn't work" if status < 500 else "Something went wrong on our side")
