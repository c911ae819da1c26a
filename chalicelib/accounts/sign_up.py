"""Signing up, and asking for another password: both answer alike, and take alike, whether or not the address is known.

Only the mail differs, and that reaches the owner of the address alone. So each makes the same calls in either case.
"""

from chalicelib.accounts import create, find, letters, links, mail, passwords
from chalicelib.accounts.email import normalised
from chalicelib.core import errors
from chalicelib.limits.tiers import FREE


def sign_up(*, email: str, name: str, password: str, base_url: str) -> None:
    """Make an account and send its address a link to confirm; to a known address, send word of that instead.

    Raises InvalidRequest for an address or a password that can't be used.
    """
    address = normalised(email)
    # Hashed before anything is looked up: a known address must not answer sooner.
    password_hash = passwords.hashed(passwords.accepted(password, email=address, name=name))
    try:
        create.create_account(email=address, name=name, tier=FREE, password_hash=password_hash)
        known = False
    except errors.Conflict:
        known = True
    account = find.account_by_email(address)
    if known:
        links.new_link(find.NOBODY, links.VERIFY_EMAIL, email=address)
        mail.send_asked(letters.known_already(account.email, account.name, f"{base_url}/login"))
    else:
        send_verification(account.id, account.email, account.name, base_url)


def send_verification(account_id: str, email: str, name: str, base_url: str) -> None:
    """Send an account's address a link that proves it."""
    ticket = links.new_link(account_id, links.VERIFY_EMAIL, email=email)
    mail.send_asked(letters.verify(email, name, f"{base_url}/verify?ticket={ticket}"))


def ask_for_reset(*, email: str, base_url: str) -> None:
    """Send a link to choose another password, if anyone has this address. Raises InvalidRequest when it is none."""
    address = normalised(email)
    try:
        account = find.account_by_email(address)
    except errors.NotFound:
        ticket = links.new_link(find.NOBODY, links.SET_PASSWORD, email=address, epoch=0)
        mail.pretend_asked(letters.reset(address, "", f"{base_url}/password?ticket={ticket}"))
        return
    ticket = links.new_link(account.id, links.SET_PASSWORD, email=account.email, epoch=account.session_epoch)
    mail.send_asked(letters.reset(account.email, account.name, f"{base_url}/password?ticket={ticket}"))
