"""Where one-time links lead: a page with a button. Only the button spends the link, so a mail scanner can't."""

from typing import TYPE_CHECKING

from chalicelib.accounts import email_links, email_sender, emails, pending_sign_up
from chalicelib.accounts.email_address import parsed
from chalicelib.accounts.tables import Account
from chalicelib.accounts.tables import OneTimeToken as Ticket
from chalicelib.api.console import confirm_sign_up, leftovers
from chalicelib.api.console.callers import in_words
from chalicelib.api.console.entry import remember_device, to_log_in
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors
from chalicelib.termination import finish

if TYPE_CHECKING:
    from chalicelib.accounts.tables import Session
    from chalicelib.accounts.unfinished import Unfinished


_FOR_EMAIL = (email_links.VERIFY_EMAIL, email_links.CHANGE_EMAIL, pending_sign_up.PURPOSE)


def show_password(request: PageRequest) -> Render:
    """Show the form to choose a password."""
    secret = request.given("ticket")
    ticket, account = _opened(secret, email_links.SET_PASSWORD)
    return _password_page(secret, account, leftovers.offered(ticket, account))


def set_password(request: PageRequest) -> Render | Redirect:
    """Spend the link on the password, and end what was ticked."""
    secret, password = request.text("ticket"), request.text("password")
    ticket, account = _opened(secret, email_links.SET_PASSWORD)
    offered = leftovers.offered(ticket, account)
    try:
        password_hash = confirm_sign_up.chosen_password(request, password, email=account.email, name=account.name)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return request.refused_by(error, _password_page(secret, account, offered))
    had_one = account.password_hash is not None
    chosen = leftovers.ending_of_chosen(request, ticket, offered)
    is_all_ended = _is_ended(email_links.set_password(ticket, account, password_hash, chosen))
    remember_device(request, account, is_raised=True)
    if had_one:
        email_sender.send(emails.password_changed(account, f"{request.base_url}/forgot"))
    return to_log_in(request, account.mailbox, "password-set" if is_all_ended else "password-set-not-all-ended")


def show_verify(request: PageRequest) -> Render:
    """Show the button that confirms an address, or the form that it takes in this browser."""
    secret = request.given("ticket")
    ticket = email_links.looked_up(secret, *_FOR_EMAIL)
    if ticket.purpose == pending_sign_up.PURPOSE:
        return confirm_sign_up.show_sign_up(request, secret, ticket)
    account = email_links.account_of(ticket)
    if ticket.purpose == email_links.CHANGE_EMAIL:
        _session_of(request, account)
    return _verify_page(request, secret, ticket, account)


def verify(request: PageRequest) -> Render | Redirect:
    """Spend the link on the address."""
    secret = request.text("ticket")
    ticket = email_links.looked_up(secret, *_FOR_EMAIL)
    if ticket.purpose == pending_sign_up.PURPOSE:
        return confirm_sign_up.confirm_sign_up(request, secret, ticket)
    account = email_links.account_of(ticket)
    if ticket.purpose == email_links.CHANGE_EMAIL:
        has_moved = account.email == parsed(str(ticket.email)).claim
        _is_ended(email_links.change_email(ticket, account, _session_of(request, account)))
        if not has_moved:
            email_sender.send(emails.email_changed(account, str(ticket.email)))
        return Redirect("/settings/account", "email-changed")
    if not _takes_a_password(request, account):
        own = _own_session(request, account)
        _is_ended(email_links.verify_email(ticket, account, own))
        return Redirect("/settings/account", "confirmed") if own else to_log_in(request, account.mailbox, "verified")
    try:
        chosen = request.text("password")
        password_hash = confirm_sign_up.chosen_password(request, chosen, email=account.email, name=account.name)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return _verify_page(request, secret, ticket, account, error)
    _is_ended(email_links.set_password(ticket, account, password_hash))
    return to_log_in(request, account.mailbox, "verified-with-password")


def _is_ended(ending: "Unfinished | None") -> bool:
    """Do the first slice of the ending that a link began, if any; return whether nothing is left to be ended."""
    return ending is None or finish.first_slice(ending)


def _password_page(secret: str, account: Account, offered: leftovers.Leftovers) -> Render:
    return Render("password", {"ticket": secret, "email": account.email, "problem": None, "offered": offered})


def _opened(secret: str, purpose: str) -> tuple[Ticket, Account]:
    ticket = email_links.looked_up(secret, purpose)
    return ticket, email_links.account_of(ticket)


def _session_of(request: PageRequest, account: Account) -> "Session":
    """Return the account's session in this browser; raise LogInFirst without one, Conflict when it is of another.

    An address moves in a browser of its account only. A stranger could ask that theirs be somebody else's: the link
    comes to that person, and confirming it must not give their address to an account with the stranger's password.
    """
    person = request.person
    if person.account.id != account.id:
        raise errors.Conflict("This link is for another account. Log out, then open it again and log in to that one.")
    return person.session


def _own_session(request: PageRequest, account: Account) -> "Session | None":
    person = request.logged_in
    return person.session if person is not None and person.account.id == account.id else None


def _takes_a_password(request: PageRequest, account: Account) -> bool:
    """Return whether to confirm an address means to choose a password.

    Who made an account while no mail was sent may be a stranger to its address. In a browser with its session it is its
    person's own: the link came to the address, and the session shows who knows the password.
    """
    return not account.is_verified and _own_session(request, account) is None


def _verify_page(
    request: PageRequest, secret: str, ticket: Ticket, account: Account, error: errors.LatchkeyError | None = None
) -> Render:
    matter = {
        "ticket": secret,
        "email": ticket.email,
        "choose": _takes_a_password(request, account) and ticket.purpose == email_links.VERIFY_EMAIL,
        "name": None,
        "problem": in_words(error) if error else None,
    }
    return Render("verify", matter, error.status, error.headers) if error else Render("verify", matter)
