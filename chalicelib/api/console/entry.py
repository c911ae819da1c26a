"""The way in and out: the landing page, signing up, logging in and out, asking for another password."""

from chalicelib.accounts import log_in as logging_in
from chalicelib.accounts import sessions
from chalicelib.accounts import sign_up as signing_up
from chalicelib.api import visitor
from chalicelib.api.console.frame import (
    DEVICE,
    DEVICE_S,
    SESSION,
    SESSION_S,
    VISIT,
    Gone,
    Shown,
    Visit,
    local_path,
)
from chalicelib.api.fields import Text
from chalicelib.core import errors
from chalicelib.limits.admission import Refused

NAME = Text(most=100)


def show_landing(visit: Visit) -> Shown:
    """Show what this is and how to start, with the reader's own base URL."""
    return Shown("landing")


def show_sign_up(visit: Visit) -> Shown:
    """Show the form to sign up."""
    after = _after(visit, visit.query.get("next", ""))
    return Shown("signup", {"email": "", "name": "", "next": after, "problem": None})


def sign_up(visit: Visit) -> Shown:
    """Make an account; a known address gets the same answer."""
    email, name, after = visit.text("email"), visit.text("name"), _after(visit, visit.text("next"))
    try:
        signing_up.sign_up(
            email=email,
            name=NAME.check("Your name", name),
            password=visit.text("password"),
            base_url=visit.base_url,
        )
    except errors.InvalidRequest as error:
        return Shown("signup", {"email": email, "name": name, "next": after, "problem": error.message}, error.status)
    return Shown("signed_up", {"email": email, "next": after})


def show_log_in(visit: Visit) -> Shown | Gone:
    """Show the form to log in; someone who is logged in already goes on."""
    after = _after(visit, visit.query.get("next", ""))
    if visit.logged_in is not None:
        return Gone(after)
    return Shown("login", {"email": "", "next": after, "problem": None})


def log_in(visit: Visit) -> Shown | Gone:
    """Open a session, always a new one, and remember the device."""
    email, after = visit.text("email"), _after(visit, visit.text("next"))
    try:
        account = logging_in.log_in(
            email=email,
            password=visit.text("password"),
            network=visitor.network(visitor.source_ip(visit.exchange.request)),
            device=visit.cookie(DEVICE),
        )
    except Refused as error:
        minutes = -(-error.retry_after_s // 60)
        problem = f"Too many attempts. Come back in {minutes} minute{'s' if minutes > 1 else ''}."
        matter = {"email": email, "next": after, "problem": problem}
        return Shown("login", matter, error.status, error.headers)
    except errors.LatchkeyError as error:
        return Shown("login", {"email": email, "next": after, "problem": error.message}, error.status)
    if visit.cookie(SESSION):
        sessions.close_session(visit.cookie(SESSION))
    visit.set_cookie(SESSION, sessions.open_session(account), lives_s=SESSION_S)
    visit.set_cookie(VISIT, "", lives_s=0)
    if sessions.knows_device(visit.cookie(DEVICE), account.id) is None:
        visit.set_cookie(DEVICE, sessions.remember_device(account), lives_s=DEVICE_S)
    return Gone(after)


def log_out(visit: Visit) -> Gone:
    """End the session."""
    sessions.close_session(visit.cookie(SESSION))
    visit.set_cookie(SESSION, "", lives_s=0)
    return Gone("/login", "logged-out")


def show_forgot(visit: Visit) -> Shown:
    """Show the form to ask for another password."""
    return Shown("forgot", {"email": "", "sent": False, "problem": None})


def forgot(visit: Visit) -> Shown:
    """Send a link, if anyone has this address; the answer is the same if not."""
    email = visit.text("email")
    try:
        signing_up.ask_for_reset(email=email, base_url=visit.base_url)
    except errors.InvalidRequest as error:
        return Shown("forgot", {"email": email, "sent": False, "problem": error.message}, error.status)
    return Shown("forgot", {"email": email, "sent": True, "problem": None})


def _after(visit: Visit, asked: str) -> str:
    """Return where to go after log-in. When a client waits there, this page's forms may lead back to it, too."""
    after = local_path(asked)
    visit.forms_may_leave = after.partition("?")[0] == "/oauth/authorize"
    return after
