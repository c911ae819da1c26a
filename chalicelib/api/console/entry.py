"""The way in and out: the landing page, signing up, logging in and out, asking for another password."""

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from chalicelib.accounts import email_sender, sessions
from chalicelib.accounts import log_in as logging_in
from chalicelib.accounts import sign_up as signing_up
from chalicelib.accounts.email_not_sent import MailNotSent
from chalicelib.api.console.callers import caller_of, in_words, networks_of
from chalicelib.api.console.cookies import DEVICE, DEVICE_S, EMAIL, SESSION, SESSION_S, VISIT
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page import local_path, seen_with
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Text
from chalicelib.core import errors

if TYPE_CHECKING:
    from chalicelib.accounts.tables import Account

NAME = Text(max_length=100)
EMAIL_S = 600


def show_landing(request: PageRequest) -> Render:
    """Show what this is and how to start, with the reader's own base URL."""
    return Render("landing")


def show_sign_up(request: PageRequest) -> Render:
    """Show the form to sign up."""
    after = after_log_in(request, request.query.get("next", ""))
    return Render("signup", {"email": "", "name": "", "next": after, "problem": None})


def sign_up(request: PageRequest) -> Render:
    """Send a link that makes the account, or make it where no mail is sent; a known address gets the same answer."""
    email, name, after = request.text("email"), request.text("name"), after_log_in(request, request.text("next"))
    try:
        signing_up.sign_up(
            email=email,
            name=request.check("name", NAME),
            password=request.text("password"),
            request=signing_up.SignUpRequest(networks_of(request), request.browser(), after),
            base_url=request.base_url,
        )
    except (errors.InvalidRequest, errors.RateLimited, MailNotSent) as error:
        return request.refused_by(
            error, Render("signup", {"email": email, "name": name, "next": after, "problem": None})
        )
    return Render("signed_up", {"email": email, "next": after, "by_mail": email_sender.is_configured()})


def show_log_in(request: PageRequest) -> Render | Redirect:
    """Show the form to log in; someone who is logged in already goes on."""
    after = after_log_in(request, request.query.get("next", ""))
    if request.logged_in is not None:
        return Redirect(after)
    return _log_in_page(unquote(request.cookie(EMAIL)), after, None)


def log_in(request: PageRequest) -> Render | Redirect:
    """Open a session, always a new one, and remember the device."""
    email, after = request.text("email"), after_log_in(request, request.text("next"))
    try:
        account = logging_in.log_in(email=email, password=request.text("password"), caller=caller_of(request))
    except errors.LatchkeyError as error:
        return _log_in_page(email, after, error)
    let_in(request, account)
    return Redirect(after)


def let_in(request: PageRequest, account: "Account") -> None:
    """Log an account in to this browser: always with a new session, so that none can be planted."""
    if request.cookie(SESSION):
        sessions.close_session(request.cookie(SESSION))
    request.set_cookie(SESSION, sessions.open_session(account, **seen_with(request)), lives_s=SESSION_S)
    for spent in (VISIT, EMAIL):
        if request.cookie(spent):
            request.set_cookie(spent, "", lives_s=0)
    if not sessions.knows_device(request.cookie(DEVICE), account):
        remember_device(request, account)


def remember_device(request: PageRequest, account: "Account", *, is_raised: bool = False) -> None:
    """Let attempts to log in to this account from this browser count apart from those of strangers.

    Also after another password was set here, which has raised the account's epoch: strangers mustn't lock its user out.
    """
    request.set_cookie(DEVICE, sessions.remember_device(account, is_raised=is_raised), lives_s=DEVICE_S)


def to_log_in(request: PageRequest, email: str, notice: str) -> Redirect:
    """Lead to the form to log in, which begins with this address."""
    request.set_cookie(EMAIL, quote(email, safe="@+"), lives_s=EMAIL_S)
    return Redirect("/login", notice)


def log_out(request: PageRequest) -> Redirect:
    """End the session."""
    sessions.close_session(request.cookie(SESSION))
    request.set_cookie(SESSION, "", lives_s=0)
    return Redirect("/login", "logged-out")


def show_forgot(request: PageRequest) -> Render:
    """Show the form to ask for another password, or, where no mail is sent, whom to ask."""
    return _forgot_page("")


def forgot(request: PageRequest) -> Render:
    """Send a link, if anyone has this address; the answer is the same if not."""
    email = request.text("email")
    if not email_sender.is_configured():
        return _forgot_page(email)
    try:
        signing_up.ask_for_reset(email=email, caller=caller_of(request), base_url=request.base_url)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return request.refused_by(error, _forgot_page(email))
    return _forgot_page(email, sent=True)


def _log_in_page(email: str, after: str, error: errors.LatchkeyError | None) -> Render:
    problem = in_words(error) if error else None
    matter = {"email": email, "next": after, "problem": problem, "by_mail": email_sender.is_configured()}
    return Render("login", matter, error.status, error.headers) if error else Render("login", matter)


def _forgot_page(email: str, *, sent: bool = False) -> Render:
    return Render("forgot", {"email": email, "sent": sent, "problem": None, "by_mail": email_sender.is_configured()})


def after_log_in(request: PageRequest, asked: str) -> str:
    """Return where to go after log-in. When a client waits there, this page's forms may lead back to it, too."""
    after = local_path(asked)
    request.forms_may_leave = after.partition("?")[0] == "/oauth/authorize"
    return after
