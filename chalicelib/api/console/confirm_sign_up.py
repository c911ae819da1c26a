"""Where the link of a sign-up leads: a button in the browser that signed up, elsewhere a form for a new password."""

from chalicelib.accounts import password_attempts, password_rules, passwords, pending_sign_up
from chalicelib.accounts.tables import OneTimeToken as Ticket
from chalicelib.api.console.callers import caller_of, in_words
from chalicelib.api.console.entry import NAME, after_log_in, let_in, to_log_in
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors


def show_sign_up(request: PageRequest, secret: str, ticket: Ticket) -> Render:
    """Show how to confirm: by a button, or by choosing a password of one's own."""
    if _signed_up_here(request, ticket):
        after_log_in(request, ticket.after or "")
        return Render("verify", {"ticket": secret, "email": ticket.email, "choose": False, "problem": None})
    return _choose_page(secret, ticket)


def confirm_sign_up(request: PageRequest, secret: str, ticket: Ticket) -> Render | Redirect:
    """Make the account, and log it in where it was signed up.

    Anywhere else the password that was chosen at sign-up isn't carried over, and nobody is logged in by a link alone.
    """
    if _signed_up_here(request, ticket):
        after = after_log_in(request, ticket.after or "")
        account = pending_sign_up.make_account(ticket, name=str(ticket.name), password_hash=str(ticket.password_hash))
        let_in(request, account)
        return Redirect(after, "confirmed" if after.startswith("/settings/") else "")
    name, email, password = request.text("name") or str(ticket.name), str(ticket.email), request.text("password")
    try:
        NAME.check("Your name", name)
        password_hash = chosen_password(request, password, email=email, name=name)
    except (errors.InvalidRequest, errors.RateLimited) as error:
        return _choose_page(secret, ticket, name=name, error=error)
    account = pending_sign_up.make_account(ticket, name=name, password_hash=password_hash)
    return to_log_in(request, account.mailbox, "verified-with-password")


def chosen_password(request: PageRequest, password: str, *, email: str, name: str) -> str:
    """Return the form in which a password that was chosen at a link is stored.

    Raises InvalidRequest when it can't be used. It is counted as an attempt to log in first, for it costs as much, and
    who has one link may send its form as often as they like: Refused after too many.
    """
    password_rules.check_format(password)
    password_attempts.count_by_network(caller_of(request))
    return passwords.hashed(password_rules.validate(password, email=email, name=name))


def _signed_up_here(request: PageRequest, ticket: Ticket) -> bool:
    return pending_sign_up.is_same_browser(ticket, request.browser())


def _choose_page(
    secret: str, ticket: Ticket, *, name: str | None = None, error: errors.LatchkeyError | None = None
) -> Render:
    matter = {
        "ticket": secret,
        "email": ticket.email,
        "choose": True,
        "name": ticket.name if name is None else name,
        "problem": in_words(error) if error else None,
    }
    return Render("verify", matter, error.status, error.headers) if error else Render("verify", matter)
