"""Registers pages and their forms: who isn't logged in is led to log in, and a refused form is shown again.

A page's view takes a PageRequest and returns an outcome. Heavy imports (templates, argon2) wait until a page is asked
for.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from urllib.parse import urlencode

from chalice.app import Blueprint, Response

from chalicelib.accounts.email_not_sent import MailNotSent
from chalicelib.api import client_address
from chalicelib.api.console import cookies, csrf, render_response
from chalicelib.api.console.outcomes import ExternalRedirect, Redirect, Render
from chalicelib.api.console.page_request import LogInFirst, PageRequest
from chalicelib.api.request_context import RequestContext
from chalicelib.api.routing import FORM, Route, register
from chalicelib.core import errors

ON_ITS_FORM = (
    *(errors.InvalidRequest, errors.Conflict, errors.InsufficientScope, errors.RateLimited, MailNotSent),
    *(csrf.Outdated, csrf.TooLong),
)
"""What is wrong with a form, or with when it is sent: its page is shown again. Any other error is a page of its own."""
HOME = "/settings/keys"
"""Where people land after log-in."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page: its path, and its view as `module.function` below `chalicelib.api.console`, imported when needed."""

    path: str
    view: str

    def show(self, request: PageRequest, parameters: dict[str, str]) -> "Render | Redirect | ExternalRedirect":
        """Return what its view makes of a visit."""
        module, _, name = self.view.rpartition(".")
        shown: Render | Redirect | ExternalRedirect = getattr(import_module(f"chalicelib.api.console.{module}"), name)(
            request, **parameters
        )
        return shown


def page(blueprint: Blueprint, method: str, here: Place, form: Place | None = None) -> None:
    """Register a page, or what a form is sent to: `form` is the page on which that stands."""

    def shown(exchange: RequestContext, **parameters: str) -> Response:
        request = PageRequest(exchange, client_address.base_url(exchange.request), cookies.of_request(exchange))
        try:
            with _shown_on_its_form(request, form, parameters):
                if method == "POST":
                    csrf.read_form(request)
                return render_response.respond(request, here.show(request, parameters))
        except _ShownInstead as instead:
            return render_response.respond(request, instead.page)
        except LogInFirst:
            # A form of the settings leads back to its page; a client sends its own request anew.
            is_ours = form is not None and form.path.startswith(("/settings", "/admin"))
            page_of_form = form.path.format(**parameters) if form is not None and is_ours else ""
            back = _asked_for(exchange) if method == "GET" else page_of_form
            return render_response.redirect(request, f"/login?{urlencode({'next': back})}" if back else "/login")
        except errors.LatchkeyError as error:
            return render_response.error_page(request, error)

    shown.__name__ = f"{method.lower()}_{here.view.rpartition('.')[2]}"
    _register(blueprint, method, here.path, shown)


def lead(blueprint: Blueprint, path: str, to: str) -> None:
    """Lead whoever opens `path`, where only a form is sent to, to the page of that form."""

    def led(exchange: RequestContext, **parameters: str) -> Response:
        request = PageRequest(exchange, client_address.base_url(exchange.request), {})
        return render_response.redirect(request, to.format(**parameters))

    led.__name__ = f"lead_to_{to.strip('/').replace('/', '_') or 'start'}"
    _register(blueprint, "GET", path, led)


def _register(blueprint: Blueprint, method: str, path: str, view: Callable[..., Response]) -> None:
    route = Route(
        method,
        path,
        view,
        consumes=(FORM,),
        cross_origin=False,
        is_documented=False,
        error_response=render_response.plain_error_page,
    )
    register(blueprint, [route])


class _ShownInstead(Exception):
    def __init__(self, page: "Render | Redirect | ExternalRedirect") -> None:
        super().__init__("the page of the form")
        self.page = page


@contextmanager
def _shown_on_its_form(request: PageRequest, form: Place | None, parameters: dict[str, str]) -> Iterator[None]:
    """Show the page of a form again that is refused, so that nothing that was typed is lost."""
    try:
        yield
    except ON_ITS_FORM as error:
        again = _page_of(request, form, parameters)
        if again is None:
            raise
        raise _ShownInstead(request.refused_by(error, again)) from error


def _page_of(request: PageRequest, form: Place | None, parameters: dict[str, str]) -> Render | None:
    """Return the page of a form; None where there is none, or nothing to show on it any more."""
    try:
        shown = form.show(request, parameters) if form is not None else None
    except errors.LatchkeyError:
        return None
    return shown if isinstance(shown, Render) else None


def _asked_for(exchange: RequestContext) -> str:
    event = exchange.request.to_original_event()
    query = urlencode(event.get("multiValueQueryStringParameters") or {}, doseq=True)
    return f"{event['path']}?{query}" if query else str(event["path"])


def local_path(path: str) -> str:
    """Return `path` when it leads to a page of this console, else to the keys: no redirect leaves the house."""
    # `//host` is the only form of a path that could lead elsewhere: looked at by its characters alone, since what is no
    # URL at all, like `//[`, is an error to a parser.
    is_local = path.startswith("/") and not path.startswith("//")
    clean = path.isascii() and path.isprintable() and "\\" not in path
    return path if is_local and clean else HOME


def seen_with(request: PageRequest) -> dict[str, str]:
    """Return where a session is opened, as its account is shown it: the network around the address, and the browser."""
    from chalicelib.accounts import user_agent

    sent = request.exchange.request
    network = client_address.neighbourhood(client_address.source_ip(sent))
    return {"network": network, "browser": user_agent.in_words(sent.headers.get("user-agent", ""))}
