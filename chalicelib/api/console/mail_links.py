"""Where one-time links lead: a page with a button. Only the button spends the link, so a mail scanner can't."""

from chalicelib.accounts import letters, links, mail, passwords
from chalicelib.accounts.tables import Account, Ticket
from chalicelib.api.console.frame import Gone, Shown, Visit
from chalicelib.core import errors
from chalicelib.credentials.revoke import revoke_all
from chalicelib.oauth import clients
from chalicelib.webhooks import endpoints


def show_password(visit: Visit) -> Shown:
    """Show the form to choose a password."""
    ticket, account = _opened(visit.query.get("ticket", ""), links.SET_PASSWORD)
    del ticket
    return Shown("password", {"ticket": visit.query["ticket"], "email": account.email, "problem": None})


def set_password(visit: Visit) -> Shown | Gone:
    """Spend the link on the password."""
    secret, password = visit.text("ticket"), visit.text("password")
    ticket, account = _opened(secret, links.SET_PASSWORD)
    try:
        passwords.accepted(password, email=account.email, name=account.name)
    except errors.InvalidRequest as error:
        matter = {"ticket": secret, "email": account.email, "problem": error.message}
        return Shown("password", matter, error.status)
    had_one = account.password_hash is not None
    links.set_password(ticket, account, passwords.hashed(password))
    _end_what_was_before(account)
    if had_one:
        mail.send(letters.password_changed(account.email, account.name, f"{visit.base_url}/forgot"))
    return Gone("/login", "password-set")


def show_verify(visit: Visit) -> Shown:
    """Show the button that confirms an address."""
    secret = visit.query.get("ticket", "")
    ticket, _ = _opened_for_email(secret)
    return Shown("verify", {"ticket": secret, "email": ticket.email})


def verify(visit: Visit) -> Gone:
    """Spend the link on the address."""
    ticket, account = _opened_for_email(visit.text("ticket"))
    if ticket.purpose == links.VERIFY_EMAIL:
        links.verify_email(ticket, account)
        _end_what_was_before(account)
        return Gone("/login", "verified")
    old = links.change_email(ticket, account)
    _end_what_was_before(account)
    mail.send(letters.email_changed(old, account.name, str(ticket.email)))
    return Gone("/settings/account", "email-changed")


def _end_what_was_before(account: Account) -> None:
    """End for good what an account that was never proven before had: keys, webhooks and applications."""
    if account.email_verified_at is None:
        revoke_all(account.id)
        endpoints.delete_unverified(account.id)
        clients.delete_unverified(account.id)


def _opened(secret: str, purpose: str) -> tuple[Ticket, Account]:
    ticket = links.looked_up(secret, purpose)
    return ticket, links.account_of(ticket)


def _opened_for_email(secret: str) -> tuple[Ticket, Account]:
    try:
        return _opened(secret, links.VERIFY_EMAIL)
    except links.SpentLink:
        return _opened(secret, links.CHANGE_EMAIL)
