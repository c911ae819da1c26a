"""Pages that one-time links open. Opening a link doesn't consume it: only the button on its page does. A mail scanner
therefore can't consume a link.
"""

from typing import TYPE_CHECKING

from chalicelib.accounts import email_links, email_sender, emails, pending_sign_up
from chalicelib.accounts.email_address import parse
from chalicelib.accounts.tables import Account, OneTimeToken
from chalicelib.api.console import confirm_sign_up, leftovers
from chalicelib.api.console.callers import message_of
from chalicelib.api.console.entry import redirect_to_log_in, remember_device
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors
from chalicelib.termination import finish

if TYPE_CHECKING:
    from chalicelib.accounts.pending_terminations import PendingTermination
    from chalicelib.accounts.tables import Session


_FOR_EMAIL = (email_links.VERIFY_EMAIL, email_links.CHANGE_EMAIL, pending_sign_up.PURPOSE)


def show_password(request: PageRequest) -> Render:
    """Show the form for a new password."""
    secret = request.text_or_parameter("ticket")
    ticket, account = _find(secret, email_links.SET_PASSWORD)
    return _password_page(secret, account, leftovers.offered(ticket, account))


def set_password(request: PageRequest) -> Render | Redirect:
    """Consume the link: set the password and remove the selected items."""
    secret, password = request.text("ticket"), request.text("password")
    ticket, account = _find(secret, email_links.SET_PASSWORD)
    offered = leftovers.offered(ticket, account)
    try:
        password_hash = confirm_sign_up.hash_password(request, password, email=account.email, name=account.name)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return request.reject_form(error, _password_page(secret, account, offered))
    had_one = account.password_hash is not None
    chosen = leftovers.ending_of_chosen(request, ticket, offered)
    is_complete = _run_termination(email_links.set_password(ticket, account, password_hash, chosen))
    remember_device(request, account, is_raised=True)
    if had_one:
        email_sender.send(emails.password_changed(account, f"{request.base_url}/forgot"))
    return redirect_to_log_in(request, account.mailbox, "password-set" if is_complete else "password-set-not-all-ended")


def show_verify(request: PageRequest) -> Render:
    """Show a button that verifies the address. If the verification requires a new password, show the form for the
    password instead.
    """
    secret = request.text_or_parameter("ticket")
    ticket = email_links.find_link(secret, *_FOR_EMAIL)
    if ticket.purpose == pending_sign_up.PURPOSE:
        return confirm_sign_up.show_sign_up(request, secret, ticket)
    account = email_links.account_of_link(ticket)
    if ticket.purpose == email_links.CHANGE_EMAIL:
        _session_of(request, account)
    return _verify_page(request, secret, ticket, account)


def verify(request: PageRequest) -> Render | Redirect:
    """Consume the link: verify the address."""
    secret = request.text("ticket")
    ticket = email_links.find_link(secret, *_FOR_EMAIL)
    if ticket.purpose == pending_sign_up.PURPOSE:
        return confirm_sign_up.confirm_sign_up(request, secret, ticket)
    account = email_links.account_of_link(ticket)
    if ticket.purpose == email_links.CHANGE_EMAIL:
        has_moved = account.email == parse(str(ticket.email)).claim
        _run_termination(email_links.change_email(ticket, account, _session_of(request, account)))
        if not has_moved:
            email_sender.send(emails.email_changed(account, str(ticket.email)))
        return Redirect("/settings/account", "email-changed")
    if not _needs_password(request, account):
        own = _own_session(request, account)
        _run_termination(email_links.verify_email(ticket, account, own))
        if own:
            return Redirect("/settings/account", "confirmed")
        return redirect_to_log_in(request, account.mailbox, "verified")
    try:
        chosen = request.text("password")
        password_hash = confirm_sign_up.hash_password(request, chosen, email=account.email, name=account.name)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return _verify_page(request, secret, ticket, account, error)
    _run_termination(email_links.set_password(ticket, account, password_hash))
    return redirect_to_log_in(request, account.mailbox, "verified-with-password")


def _run_termination(ending: "PendingTermination | None") -> bool:
    """Run the first batch of the termination that a link started, if any. Returns whether nothing remains to be
    terminated.
    """
    return ending is None or finish.run_first_slice(ending)


def _password_page(secret: str, account: Account, offered: leftovers.Leftovers) -> Render:
    return Render("password", {"ticket": secret, "email": account.email, "problem": None, "offered": offered})


def _find(secret: str, purpose: str) -> tuple[OneTimeToken, Account]:
    ticket = email_links.find_link(secret, purpose)
    return ticket, email_links.account_of_link(ticket)


def _session_of(request: PageRequest, account: Account) -> "Session":
    """Return the account's session in this browser. Raises LogInFirst if no user is logged in, Conflict if the session
    belongs to another account.

    An address can be changed only in a browser with a session of the account. Otherwise an attacker could request a
    change to another user's address: that user would get the link, and confirm the address for the attacker's account.
    """
    user = request.user
    if user.account.id != account.id:
        raise errors.Conflict(
            "This link is for another account. Log out, open the link again, and log in to that account."
        )
    return user.session


def _own_session(request: PageRequest, account: Account) -> "Session | None":
    user = request.user_or_none
    return user.session if user is not None and user.account.id == account.id else None


def _needs_password(request: PageRequest, account: Account) -> bool:
    """Return whether a new password must be set when an address is verified.

    If email wasn't configured when an account was created, anyone could sign up with the address of another user. The
    user who receives the link therefore sets a new password. In a browser with a session of the account, this isn't
    needed: the link proves access to the address, and the session proves knowledge of the password.
    """
    return not account.is_verified and _own_session(request, account) is None


def _verify_page(
    request: PageRequest, secret: str, ticket: OneTimeToken, account: Account, error: errors.LatchkeyError | None = None
) -> Render:
    values = {
        "ticket": secret,
        "email": ticket.email,
        "choose": _needs_password(request, account) and ticket.purpose == email_links.VERIFY_EMAIL,
        "name": None,
        "problem": message_of(error) if error else None,
    }
    return Render("verify", values, error.status, error.headers) if error else Render("verify", values)
