"""Confirm a sign-up by the link in the email. In the browser that signed up, the user only clicks a button. In any
other browser, the user has to set a new password.
"""

from chalicelib.accounts import password_attempts, password_rules, passwords, pending_sign_up
from chalicelib.accounts.tables import OneTimeToken
from chalicelib.api.console.callers import caller_of, message_of
from chalicelib.api.console.entry import NAME, next_path, redirect_to_log_in, start_session
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors


def show_sign_up(request: PageRequest, secret: str, ticket: OneTimeToken) -> Render:
    """Show a button in the browser that signed up, or a form for a new password in any other browser."""
    if _is_same_browser(request, ticket):
        next_path(request, ticket.after or "")
        return Render("verify", {"ticket": secret, "email": ticket.email, "choose": False, "problem": None})
    return _password_page(secret, ticket)


def confirm_sign_up(request: PageRequest, secret: str, ticket: OneTimeToken) -> Render | Redirect:
    """Create the user and their account. In the browser that signed up, also start a session.

    In any other browser the password from the sign-up is discarded and no session is started, because the address may
    belong to someone other than the user who signed up.
    """
    if _is_same_browser(request, ticket):
        after = next_path(request, ticket.after or "")
        new = pending_sign_up.make_account(ticket, name=str(ticket.name), password_hash=str(ticket.password_hash))
        start_session(request, new.user)
        return Redirect(after, "confirmed" if after.startswith("/settings") else "")
    name, email, password = request.text("name") or str(ticket.name), str(ticket.email), request.text("password")
    try:
        NAME.check("Your name", name)
        password_hash = hash_password(request, password, email=email, name=name)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return _password_page(secret, ticket, name=name, error=error)
    new = pending_sign_up.make_account(ticket, name=name, password_hash=password_hash)
    return redirect_to_log_in(request, new.user.mailbox, "verified-with-password")


def hash_password(request: PageRequest, password: str, *, email: str, name: str) -> str:
    """Return the hash of a password that was chosen with a one-time link.

    Hashing is as costly as a log-in, and a client can send the form any number of times. Each call therefore counts as
    an attempt to log in. Raises InvalidRequest for a password that the rules reject, RateLimited after too many
    attempts.
    """
    password_rules.check_format(password)
    password_attempts.count_by_network(caller_of(request))
    return passwords.hash_password(password_rules.validate(password, email=email, name=name))


def _is_same_browser(request: PageRequest, ticket: OneTimeToken) -> bool:
    return pending_sign_up.is_same_browser(ticket, request.browser())


def _password_page(
    secret: str, ticket: OneTimeToken, *, name: str | None = None, error: errors.LatchkeyError | None = None
) -> Render:
    values = {
        "ticket": secret,
        "email": ticket.email,
        "choose": True,
        "name": ticket.name if name is None else name,
        "problem": message_of(error) if error else None,
    }
    return Render("verify", values, error.status, error.headers) if error else Render("verify", values)
