"""Pages that one-time links open. Opening a link doesn't consume it: only the button on its page does. A mail scanner
therefore can't consume a link.
"""

from typing import TYPE_CHECKING

from chalicelib.accounts import email_links, email_sender, emails, pending_sign_up
from chalicelib.accounts.email_address import parse
from chalicelib.accounts.tables import OneTimeToken, User
from chalicelib.api.console import confirm_sign_up, leftovers
from chalicelib.api.console.callers import message_of
from chalicelib.api.console.entry import redirect_to_log_in, remember_device
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors
from chalicelib.termination import finish

if TYPE_CHECKING:
    from chalicelib.accounts.tables import Session
    from chalicelib.jobs.tables import Job


_FOR_EMAIL = (email_links.VERIFY_EMAIL, email_links.CHANGE_EMAIL, pending_sign_up.PURPOSE)


def show_password(request: PageRequest) -> Render:
    """Show the form for a new password."""
    secret = request.text_or_parameter("ticket")
    ticket, user = _find(secret, email_links.SET_PASSWORD)
    return _password_page(secret, user, leftovers.offered(ticket, user))


def set_password(request: PageRequest) -> Render | Redirect:
    """Consume the link: set the password and remove the selected items."""
    secret, password = request.text("ticket"), request.text("password")
    ticket, user = _find(secret, email_links.SET_PASSWORD)
    offered = leftovers.offered(ticket, user)
    try:
        password_hash = confirm_sign_up.hash_password(request, password, email=user.email, name=user.name)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return request.reject_form(error, _password_page(secret, user, offered))
    had_one = user.password_hash is not None
    chosen = leftovers.ending_of_chosen(request, user, ticket, offered)
    is_complete = _run_first_batch(email_links.set_password(ticket, user, password_hash, chosen))
    remember_device(request, user, is_raised=True)
    if had_one:
        email_sender.send(emails.password_changed(user, f"{request.base_url}/forgot"))
    return redirect_to_log_in(request, user.mailbox, "password-set" if is_complete else "password-set-not-all-ended")


def show_verify(request: PageRequest) -> Render:
    """Show a button that verifies the address. If the verification requires a new password, show the form for the
    password instead.
    """
    secret = request.text_or_parameter("ticket")
    ticket = email_links.find_link(secret, *_FOR_EMAIL)
    if ticket.purpose == pending_sign_up.PURPOSE:
        return confirm_sign_up.show_sign_up(request, secret, ticket)
    user = email_links.user_of_link(ticket)
    if ticket.purpose == email_links.CHANGE_EMAIL:
        _session_of(request, user)
    return _verify_page(request, secret, ticket, user)


def verify(request: PageRequest) -> Render | Redirect:
    """Consume the link: verify the address."""
    secret = request.text("ticket")
    ticket = email_links.find_link(secret, *_FOR_EMAIL)
    if ticket.purpose == pending_sign_up.PURPOSE:
        return confirm_sign_up.confirm_sign_up(request, secret, ticket)
    user = email_links.user_of_link(ticket)
    if ticket.purpose == email_links.CHANGE_EMAIL:
        has_moved = user.email == parse(str(ticket.email)).claim
        _run_first_batch(email_links.change_email(ticket, user, _session_of(request, user)))
        if not has_moved:
            email_sender.send(emails.email_changed(user, str(ticket.email)))
        return Redirect("/settings/profile", "email-changed")
    if not _needs_password(request, user):
        own = _own_session(request, user)
        _run_first_batch(email_links.verify_email(ticket, user, own))
        if own:
            return Redirect("/settings/profile", "confirmed")
        return redirect_to_log_in(request, user.mailbox, "verified")
    try:
        chosen = request.text("password")
        password_hash = confirm_sign_up.hash_password(request, chosen, email=user.email, name=user.name)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return _verify_page(request, secret, ticket, user, error)
    _run_first_batch(email_links.set_password(ticket, user, password_hash))
    return redirect_to_log_in(request, user.mailbox, "verified-with-password")


def _run_first_batch(ending: "Job | None") -> bool:
    """Run the first batch of the job that a link started, if any. Returns whether nothing remains."""
    return ending is None or finish.run_first_batch(ending)


def _password_page(secret: str, user: User, offered: leftovers.Leftovers) -> Render:
    return Render("password", {"ticket": secret, "email": user.email, "problem": None, "offered": offered})


def _find(secret: str, purpose: str) -> tuple[OneTimeToken, User]:
    ticket = email_links.find_link(secret, purpose)
    return ticket, email_links.user_of_link(ticket)


def _session_of(request: PageRequest, user: User) -> "Session":
    """Return the account's session in this browser. Raises LogInFirst if no user is logged in, Conflict if the session
    belongs to another user.

    An address can be changed only in a browser with a session of the user. Otherwise an attacker could request a
    change to another user's address: that user would get the link, and confirm the address for the attacker's user.
    """
    login = request.user
    if login.user.id != user.id:
        raise errors.Conflict("This link is for another user. Log out, open the link again, and log in to that user.")
    return login.session


def _own_session(request: PageRequest, user: User) -> "Session | None":
    login = request.user_or_none
    return login.session if login is not None and login.user.id == user.id else None


def _needs_password(request: PageRequest, user: User) -> bool:
    """Return whether a new password must be set when an address is verified.

    If email wasn't configured when an account was created, anyone could sign up with the address of another user. The
    user who receives the link therefore sets a new password. In a browser with a session of the user, this isn't
    needed: the link proves access to the address, and the session proves knowledge of the password.
    """
    return not user.is_verified and _own_session(request, user) is None


def _verify_page(
    request: PageRequest, secret: str, ticket: OneTimeToken, user: User, error: errors.LatchkeyError | None = None
) -> Render:
    values = {
        "ticket": secret,
        "email": ticket.email,
        "choose": _needs_password(request, user) and ticket.purpose == email_links.VERIFY_EMAIL,
        "name": None,
        "problem": message_of(error) if error else None,
    }
    return Render("verify", values, error.status, error.headers) if error else Render("verify", values)
