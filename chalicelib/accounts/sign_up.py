"""Signing up, and asking for another password: both answer alike, and take alike, whether or not the address is known.

Only the mail differs, and that reaches the owner of the address alone. So each makes the same calls in either case.
Where no mail is sent an account is made at once, since nobody can be asked to prove an address.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.accounts import (
    create,
    email_limits,
    email_links,
    email_sender,
    emails,
    find,
    passwords,
    pending_sign_up,
)
from chalicelib.accounts.email_address import Address, parsed
from chalicelib.accounts.password_attempts import Caller
from chalicelib.core import errors
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import (
    FREE,
    KNOWN_ADDRESS_MAILS,
    RESET_MAILS,
    SIGN_UPS,
    VERIFICATION_MAILS,
)

if TYPE_CHECKING:
    from chalicelib.accounts.tables import Account


@dataclass(frozen=True, slots=True)
class SignUpRequest:
    """Who asks: every width of the network, the digest of the browser's pre-session cookie, and where it was going."""

    networks: tuple[str, ...]
    browser: str = ""
    after: str = ""


def sign_up(*, email: str, name: str, password: str, request: SignUpRequest, base_url: str) -> None:
    """Send an address a link that makes its account; to a known address, send word of that instead.

    Where no mail is sent, make the account. Raises InvalidRequest for an address or a password that can't be used,
    Refused when too many signed up from this network, and MailNotSent when the mail couldn't be sent.
    """
    address = parsed(email)
    passwords.check_form(password)
    admit_networks(request.networks, SIGN_UPS)
    # Hashed before anything is looked up: a known address must not answer sooner.
    password_hash = passwords.hashed(passwords.accepted(password, email=address.claim, name=name))
    if not email_sender.is_configured():
        _make_at_once(address, name, password_hash)
        return
    asked = pending_sign_up.PendingSignUp(address.mailbox, name, password_hash, request.browser, request.after)
    account = _account_of(address)
    # For a known address too: its link is sent to nobody, and what a stranger sees takes as long.
    secret = pending_sign_up.new_token(asked)
    if account is None:
        tier = VERIFICATION_MAILS
        letter = emails.confirm_sign_up(address.mailbox, f"{base_url}/verify?ticket={secret}")
    else:
        tier = KNOWN_ADDRESS_MAILS
        letter = emails.known_already(account, f"{base_url}/login", f"{base_url}/forgot")
    if email_limits.has_room(address.claim, request.networks, tier):
        email_sender.must_send(letter)
    else:
        email_sender.must_pretend(letter)


def send_verification(account: "Account", *, networks: tuple[str, ...], base_url: str) -> None:
    """Send an account's address a link that proves it, since its person, who is logged in, asks for one.

    Raises Refused when the account, or the network, asked for as many as it may, and MailNotSent when SES takes none.
    """
    admit_networks(networks, VERIFICATION_MAILS.network)
    email_limits.count_own(account, VERIFICATION_MAILS)
    ticket = email_links.new_link(
        account.id, email_links.VERIFY_EMAIL, email=account.email, epoch=account.session_epoch
    )
    email_sender.must_send(emails.verify(account, f"{base_url}/verify?ticket={ticket}"))


def ask_for_reset(*, email: str, caller: Caller, base_url: str) -> None:
    """Send a link to choose another password, if anyone has this address.

    Raises InvalidRequest when it is none, and Refused when this network asked for too many. That SES takes no mail is
    only logged: it may take none for one address.
    """
    address = parsed(email)
    admit_networks(caller.networks, RESET_MAILS.network)
    account = _account_of(address)
    has_room = email_limits.has_room_for(account, address.claim, caller, RESET_MAILS)
    if account is None:
        ticket = email_links.new_link(find.NOBODY, email_links.SET_PASSWORD, email=address.claim, epoch=0)
        email_sender.pretend(emails.reset_of_nobody(address.mailbox, f"{base_url}/password?ticket={ticket}"))
        return
    ticket = email_links.new_link(
        account.id, email_links.SET_PASSWORD, email=account.email, epoch=account.session_epoch
    )
    letter = emails.reset(account, f"{base_url}/password?ticket={ticket}")
    if has_room:
        email_sender.send(letter)
    else:
        email_sender.pretend(letter)


def _make_at_once(address: Address, name: str, password_hash: str) -> None:
    # In a conflict the page says the same. Where no mail is sent, the password shows whether there was an account:
    # nothing that could reach its owner alone is left to tell it by.
    with suppress(errors.Conflict):
        create.create_account(email=address.mailbox, name=name, tier=FREE, password_hash=password_hash)


def _account_of(address: Address) -> "Account | None":
    try:
        return find.account_by_email(address.claim)
    except errors.NotFound:
        return None
