"""Responses of the console: pages, redirects, and errors as pages."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from chalice.app import Response

from chalicelib.api import client_address
from chalicelib.api.console import security_headers
from chalicelib.api.console.outcomes import ExternalRedirect, Redirect, Render
from chalicelib.api.console.page_request import NoAccount, PageRequest
from chalicelib.api.request_context import RequestContext
from chalicelib.core import errors

if TYPE_CHECKING:
    from chalicelib.accounts.members import Membership


def respond(request: PageRequest, result: Render | Redirect | ExternalRedirect) -> Response:
    """Return the response for the outcome of a view."""
    if isinstance(result, ExternalRedirect):
        if result.url.startswith(("https:", "http:")) or not client_address.opens_a_page(request.exchange.request):
            return _redirect_to(request, result.url)
        # A URL with a private-use scheme opens an app, but no page. Show a page with a link to the app, because the
        # browser would otherwise stay on the form that was just submitted. Clients other than browsers get the redirect
        # of RFC 6749 §4.1.2.
        return _html(request, "app_opened", {"destination": result.url, "client": result.client}, 200, {})
    if isinstance(result, Redirect):
        notice = f"{'&' if '?' in result.path else '?'}done={quote(result.notice)}" if result.notice else ""
        return redirect(request, result.path + notice)
    return _html(request, result.template, result.values, result.status, result.headers)


def redirect(request: PageRequest, path: str) -> Response:
    """Return a redirect (303) to a path of the console."""
    return _redirect_to(request, f"{request.root}{path}")


def _redirect_to(request: PageRequest, url: str) -> Response:
    headers = security_headers.of_page(security_headers.FORMS_STAY, secure=request.secure)
    headers["Location"] = url
    return Response("", headers=_with_cookies(headers, request), status_code=303)


def _html(
    request: PageRequest, template: str, values: dict[str, Any], status: int, headers: dict[str, str]
) -> Response:
    from chalicelib.pages import labels, render

    login = request.user_or_none
    shown = _membership(request)
    frame = render.Frame(
        root=request.root,
        base_url=request.base_url,
        csrf=request.csrf(shown.account.id if shown else ""),
        email=login.user.email if login else None,
        is_admin=bool(login and login.user.admin),
        account_id=shown.account.id if shown else "",
        account_name=shown.account.name if shown else "",
        role=shown.role if shown else "",
        notice=labels.notice(request.query.get("done", ""), request.exchange.request.path),
        here=request.exchange.request.path,
        rejected_form=request.rejected_form,
    )
    html = render.page(template, frame, **values)
    forms = security_headers.FORMS_MAY_LEAVE if request.forms_may_leave else security_headers.FORMS_STAY
    all_headers = security_headers.of_page(forms, secure=request.secure) | headers
    if request.may_call_api:
        all_headers["Content-Security-Policy"] += "; connect-src 'self'"
    return Response(html, headers=_with_cookies(all_headers, request), status_code=status)


def _membership(request: PageRequest) -> "Membership | None":
    """Return the membership of the page's account; None if no user is logged in, or the user can't use an account."""
    if request.user_or_none is None:
        return None
    try:
        return request.membership
    except (NoAccount, errors.LatchkeyError):
        return None


def error_page(request: PageRequest, error: errors.LatchkeyError) -> Response:
    """Return an error page, with the navigation of the user who is logged in."""
    from chalicelib.pages import labels

    values = {"title": _title(error.status), "message": labels.with_singular(error.message)}
    return _html(request, "error", values, error.status, error.headers)


def plain_error_page(error: errors.LatchkeyError, exchange: RequestContext) -> Response:
    """Return an error page for a rejected request or an internal error, without reading the session."""
    from chalicelib.pages import labels

    message = labels.with_singular(error.message)
    response = plain_page(exchange, "error", title=_title(error.status), message=message)
    response.headers.update(error.headers)
    response.status_code = error.status
    return response


def plain_page(exchange: RequestContext, template: str, **values: Any) -> Response:
    """Return a page that is the same for all users and doesn't read the session."""
    from chalicelib.pages import render

    base_url = client_address.base_url(exchange.request)
    frame = render.Frame(urlsplit(base_url).path, base_url, "", None, is_admin=False, notice=None, here="")
    html = render.page(template, frame, **values)
    return Response(
        html, headers=dict(security_headers.of_page(security_headers.FORMS_STAY, secure=base_url.startswith("https:")))
    )


def _with_cookies(headers: dict[str, str], request: PageRequest) -> dict[str, str | list[str]]:
    every: dict[str, str | list[str]] = dict(headers)
    if request.set_cookies:
        every["Set-Cookie"] = request.set_cookies
    return every


_TITLES = {
    403: "Access denied",
    404: "Page not found",
    409: "Action not possible",
    410: "Link no longer valid",
    429: "Too many requests",
}


def _title(status: int) -> str:
    return _TITLES.get(status, "Invalid request" if status < 500 else "Something went wrong on our side")
