"""The landing page, sign-up, log-in, log-out and the request for a password reset."""

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from chalicelib.accounts import email_sender, sessions
from chalicelib.accounts import log_in as logging_in
from chalicelib.accounts import sign_up as signing_up
from chalicelib.accounts.email_not_sent import EmailNotSent
from chalicelib.api.console.callers import caller_of, message_of, networks_of
from chalicelib.api.console.cookies import BROWSER, DEVICE, DEVICE_S, EMAIL, SESSION, SESSION_S
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page import local_path, session_details
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Text
from chalicelib.core import errors

if TYPE_CHECKING:
    from chalicelib.accounts.tables import User

NAME = Text(max_length=100)
EMAIL_S = 600


def show_landing(request: PageRequest) -> Render:
    """Show the landing page. Its examples contain the base URL of this deployment."""
    return Render("landing")


def show_sign_up(request: PageRequest) -> Render:
    """Show the sign-up form."""
    after = next_path(request, request.query.get("next", ""))
    return Render("signup", {"email": "", "name": "", "next": after, "problem": None})


def sign_up(request: PageRequest) -> Render:
    """Send a link that creates the account. If email isn't configured, create the account immediately.

    The page is the same if the address already has a user, so that it doesn't reveal which addresses have one.
    """
    email, name, after = request.text("email"), request.text("name"), next_path(request, request.text("next"))
    try:
        signing_up.sign_up(
            email=email,
            name=request.check("name", NAME),
            password=request.text("password"),
            request=signing_up.SignUpRequest(networks_of(request), request.browser(), after),
            base_url=request.base_url,
        )
    except (errors.InvalidRequest, errors.RateLimited, EmailNotSent) as error:
        return request.reject_form(
            error, Render("signup", {"email": email, "name": name, "next": after, "problem": None})
        )
    return Render("signed_up", {"email": email, "next": after, "by_mail": email_sender.is_configured()})


def show_log_in(request: PageRequest) -> Render | Redirect:
    """Show the log-in form, or redirect a user who is logged in."""
    after = next_path(request, request.query.get("next", ""))
    if request.user_or_none is not None:
        return Redirect(after)
    return _log_in_page(unquote(request.cookie(EMAIL)), after, None)


def log_in(request: PageRequest) -> Render | Redirect:
    """Check the password, start a new session, and remember the device."""
    email, after = request.text("email"), next_path(request, request.text("next"))
    try:
        user = logging_in.log_in(email=email, password=request.text("password"), caller=caller_of(request))
    except errors.LatchkeyError as error:
        return _log_in_page(email, after, error)
    start_session(request, user)
    return Redirect(after)


def start_session(request: PageRequest, user: "User") -> None:
    """Close the current session of this browser, if any, and start a new one for a user. This prevents session
    fixation.
    """
    if request.cookie(SESSION):
        sessions.close_session(request.cookie(SESSION))
    request.set_cookie(SESSION, sessions.open_session(user, **session_details(request)), max_age_s=SESSION_S)
    for name in (BROWSER, EMAIL):
        if request.cookie(name):
            request.set_cookie(name, "", max_age_s=0)
    if not sessions.is_known_device(request.cookie(DEVICE), user):
        remember_device(request, user)


def remember_device(request: PageRequest, user: "User", *, is_raised: bool = False) -> None:
    """Give this browser its own limit of log-ins of this user, so that other callers can't lock the user out.

    `is_raised` is True if a new password has raised the user's session epoch by one since `user` was read.
    """
    request.set_cookie(DEVICE, sessions.remember_device(user, is_raised=is_raised), max_age_s=DEVICE_S)


def redirect_to_log_in(request: PageRequest, email: str, notice: str) -> Redirect:
    """Redirect to the log-in form, in which this email is already entered."""
    request.set_cookie(EMAIL, quote(email, safe="@+"), max_age_s=EMAIL_S)
    return Redirect("/login", notice)


def log_out(request: PageRequest) -> Redirect:
    """End the session."""
    sessions.close_session(request.cookie(SESSION))
    request.set_cookie(SESSION, "", max_age_s=0)
    return Redirect("/login", "logged-out")


def show_forgot(request: PageRequest) -> Render:
    """Show the form for a password reset. If email isn't configured, show how to contact the operator."""
    return _forgot_page("")


def forgot(request: PageRequest) -> Render:
    """Send a reset link if a user has this email. The page is the same if no user has it."""
    email = request.text("email")
    if not email_sender.is_configured():
        return _forgot_page(email)
    try:
        signing_up.request_password_reset(email=email, caller=caller_of(request), base_url=request.base_url)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return request.reject_form(error, _forgot_page(email))
    return _forgot_page(email, sent=True)


def _log_in_page(email: str, after: str, error: errors.LatchkeyError | None) -> Render:
    problem = message_of(error) if error else None
    values = {"email": email, "next": after, "problem": problem, "by_mail": email_sender.is_configured()}
    return Render("login", values, error.status, error.headers) if error else Render("login", values)


def _forgot_page(email: str, *, sent: bool = False) -> Render:
    return Render("forgot", {"email": email, "sent": sent, "problem": None, "by_mail": email_sender.is_configured()})


def next_path(request: PageRequest, wanted: str) -> str:
    """Return the path to which the browser is redirected after log-in.

    If this path belongs to an authorization request, the browser may be redirected from there to an OAuth client. The
    log-in page must then allow its form to be redirected to another site.
    """
    after = local_path(wanted)
    request.forms_may_leave = after.partition("?")[0] == "/oauth/authorize"
    return after
