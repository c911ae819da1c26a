"""Register the pages and forms of the console.

A view takes a PageRequest and returns an outcome. Anonymous users are redirected to the log-in page, and the page of a
rejected form is shown again with its values. Heavy modules (templates, argon2) are imported by the first request that
needs them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from urllib.parse import urlencode

from chalice.app import Blueprint, Response

from chalicelib.accounts.email_not_sent import EmailNotSent
from chalicelib.api import client_address
from chalicelib.api.console import cookies, csrf, render_response
from chalicelib.api.console.outcomes import ExternalRedirect, Redirect, Render
from chalicelib.api.console.page_request import LogInFirst, NoAccount, PageRequest
from chalicelib.api.request_context import RequestContext
from chalicelib.api.routing import FORM, Route, register
from chalicelib.core import errors

FORM_ERRORS = (
    *(errors.InvalidRequest, errors.Conflict, errors.InsufficientScope, errors.RateLimited, EmailNotSent),
    *(csrf.Outdated, csrf.TooLong),
)
"""Errors that are shown on the page of the form; any other error has a page of its own."""
HOME = "/settings"
"""The page after log-in, which leads to the first page that the user's role may open."""
ACCOUNTS = "/settings/accounts"
"""The page of a user who belongs to no account."""


@dataclass(frozen=True, slots=True)
class View:
    """A path and its view. `name` is `module.function` below `chalicelib.api.console`; the first request for the path
    imports the module.
    """

    path: str
    name: str
    least_role: str = ""
    """The least role in the account that the page needs; "" if the page belongs to no account."""

    def call(self, request: PageRequest, parameters: dict[str, str]) -> "Render | Redirect | ExternalRedirect":
        """Return the outcome of the view. Parameters that its path doesn't contain, such as those of a form whose page
        has a shorter path, are ignored.
        """
        module, _, name = self.name.rpartition(".")
        view = getattr(import_module(f"chalicelib.api.console.{module}"), name)
        own = {name: value for name, value in parameters.items() if f"{{{name}}}" in self.path}
        outcome: Render | Redirect | ExternalRedirect = view(request, **own)
        return outcome


def register_page(blueprint: Blueprint, method: str, view: View, form_page: View | None = None) -> None:
    """Register a view; `form_page` is the page whose form the view receives."""

    def respond(exchange: RequestContext, **parameters: str) -> Response:
        request = PageRequest(exchange, client_address.base_url(exchange.request), cookies.of_request(exchange))
        try:
            with _show_errors_on_form(request, form_page, parameters):
                if method == "POST":
                    csrf.read_form(request)
                _check_role(request, view)
                return render_response.respond(request, view.call(request, parameters))
        except _FormRejected as rejected:
            return render_response.respond(request, rejected.page)
        except NoAccount:
            return render_response.redirect(request, ACCOUNTS)
        except LogInFirst:
            # After log-in, a user who sent a form of the settings returns to its page. Other forms, such as that of the
            # consent page, have no return path: the OAuth client has to send its request again.
            is_settings = form_page is not None and form_page.path.startswith(("/settings", "/admin"))
            path_of_form = form_page.path.format(**parameters) if form_page is not None and is_settings else ""
            after = _target(exchange) if method == "GET" else path_of_form
            return render_response.redirect(request, f"/login?{urlencode({'next': after})}" if after else "/login")
        except errors.LatchkeyError as error:
            return render_response.error_page(request, error)

    respond.__name__ = f"{method.lower()}_{view.name.rpartition('.')[2]}"
    _register(blueprint, method, view.path, respond)


def _check_role(request: PageRequest, view: View) -> None:
    """Raise InsufficientRole unless the user's role in the account allows the page."""
    from chalicelib.accounts import members

    if view.least_role:
        members.require(request.membership, view.least_role)


def register_redirect(blueprint: Blueprint, path: str, to: str) -> None:
    """Redirect GET requests for `path`, at which only POST is accepted, to the page that contains its form."""

    def redirect(exchange: RequestContext, **parameters: str) -> Response:
        request = PageRequest(exchange, client_address.base_url(exchange.request), {})
        return render_response.redirect(request, to.format(**parameters))

    redirect.__name__ = f"redirect_to_{to.strip('/').replace('/', '_') or 'start'}"
    _register(blueprint, "GET", path, redirect)


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


class _FormRejected(Exception):
    def __init__(self, page: Render) -> None:
        super().__init__("The form was rejected.")
        self.page = page


@contextmanager
def _show_errors_on_form(request: PageRequest, form_page: View | None, parameters: dict[str, str]) -> Iterator[None]:
    """Show the page of a rejected form again, so that its values aren't lost."""
    try:
        yield
    except FORM_ERRORS as error:
        page = _render_form_page(request, form_page, parameters)
        if page is None:
            raise
        raise _FormRejected(request.reject_form(error, page)) from error


def _render_form_page(request: PageRequest, form_page: View | None, parameters: dict[str, str]) -> Render | None:
    """Return the page of a form; None if the form has no page, or if its page can't be shown to this user."""
    if form_page is None:
        return None
    try:
        _check_role(request, form_page)
        outcome = form_page.call(request, parameters)
    except errors.LatchkeyError:
        return None
    return outcome if isinstance(outcome, Render) else None


def _target(exchange: RequestContext) -> str:
    event = exchange.request.to_original_event()
    query = urlencode(event.get("multiValueQueryStringParameters") or {}, doseq=True)
    return f"{event['path']}?{query}" if query else str(event["path"])


def local_path(path: str) -> str:
    """Return `path` if it is a path of this console, else the page after log-in, to prevent open redirects."""
    # Only `//host` could lead to another site. Compare characters, because a URL parser raises an error for some
    # malformed paths, such as `//[`.
    is_local = path.startswith("/") and not path.startswith("//")
    clean = path.isascii() and path.isprintable() and "\\" not in path
    return path if is_local and clean else HOME


def session_details(request: PageRequest) -> dict[str, str]:
    """Return the network and the browser of a new session, as Settings > Sessions shows them."""
    from chalicelib.accounts import user_agent

    sent = request.exchange.request
    network = client_address.neighbourhood(client_address.source_ip(sent))
    return {"network": network, "browser": user_agent.browser_and_system(sent.headers.get("user-agent", ""))}
