"""Sign up, and request a password reset. Neither the response nor its time reveals whether an account has the address.

With and without an account, the same calls are made. Only the text of the email differs, and only the owner of the
address receives it. If email isn't configured, the account is created immediately, because no address can be verified.
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
    password_rules,
    passwords,
    pending_sign_up,
    sign_up_limits,
)
from chalicelib.accounts.email_address import Address, parse
from chalicelib.accounts.password_attempts import Caller
from chalicelib.core import errors
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import (
    FREE,
    RESET_EMAILS,
    VERIFICATION_EMAILS,
)

if TYPE_CHECKING:
    from chalicelib.accounts.tables import Account


@dataclass(frozen=True, slots=True)
class SignUpRequest:
    """Data of the request to sign up: the caller's networks, narrowest first, the digest of the browser's pre-session
    cookie, and the URL at which the browser continues.
    """

    networks: tuple[str, ...]
    browser: str = ""
    after: str = ""


def sign_up(*, email: str, name: str, password: str, request: SignUpRequest, base_url: str) -> None:
    """Send an email with a link that creates the account. If the address has an account, the email says so instead.

    If email isn't configured, the account is created immediately. Raises InvalidRequest for an invalid address or
    password, Rejected when a sign-up limit is exceeded, and EmailNotSent when the email couldn't be sent.
    """
    address = parse(email)
    password_rules.check_format(password)
    sign_up_limits.count_sign_up(request.networks)
    # Hash the password before the account is read, so that the response takes equally long if the address has an
    # account.
    password_hash = passwords.hash_password(password_rules.validate(password, email=address.claim, name=name))
    if not email_sender.is_configured():
        _create_now(address, name, password_hash)
        return
    asked = pending_sign_up.PendingSignUp(address.mailbox, name, password_hash, request.browser, request.after)
    account = _account_of(address)
    # A token is stored even if the address has an account, so that the response takes equally long. It is then never
    # sent.
    secret = pending_sign_up.new_token(asked)
    if account is None:
        message = emails.confirm_sign_up(address.mailbox, f"{base_url}/verify?ticket={secret}")
    else:
        message = emails.address_has_account(account, f"{base_url}/login", f"{base_url}/forgot")
    if sign_up_limits.admit_email(account, address.claim, request.networks):
        email_sender.send_or_fail(message)
    else:
        email_sender.simulate_or_fail(message)


def send_verification(account: "Account", *, networks: tuple[str, ...], base_url: str) -> None:
    """Send a logged-in user a link that verifies the address of the account.

    Raises Rejected when the account or the network has reached its limit, and EmailNotSent when SES rejects the email.
    """
    admit_networks(networks, VERIFICATION_EMAILS.network)
    email_limits.count_own(account, VERIFICATION_EMAILS)
    token = email_links.new_link(account.id, email_links.VERIFY_EMAIL, email=account.email, epoch=account.session_epoch)
    email_sender.send_or_fail(emails.verify(account, f"{base_url}/verify?ticket={token}"))


def request_password_reset(*, email: str, caller: Caller, base_url: str) -> None:
    """Send a link to set a new password, if an account has this address.

    Raises InvalidRequest for an invalid address, Rejected when the network has reached its limit. A rejection by SES
    is only logged: SES may reject a single address, and an error would reveal that an account has it.
    """
    address = parse(email)
    admit_networks(caller.networks, RESET_EMAILS.network)
    account = _account_of(address)
    may_send = email_limits.admit_email_to(account, address.claim, caller, RESET_EMAILS)
    if account is None:
        token = email_links.new_link(find.NO_ACCOUNT, email_links.SET_PASSWORD, email=address.claim, epoch=0)
        email_sender.simulate(emails.reset_without_account(address.mailbox, f"{base_url}/password?ticket={token}"))
        return
    token = email_links.new_link(account.id, email_links.SET_PASSWORD, email=account.email, epoch=account.session_epoch)
    message = emails.reset(account, f"{base_url}/password?ticket={token}")
    if may_send:
        email_sender.send(message)
    else:
        email_sender.simulate(message)


def _create_now(address: Address, name: str, password_hash: str) -> None:
    # If an account has the address, the page doesn't reveal this. A later log-in with the new password fails, and that
    # reveals the account. If email isn't configured, this can't be avoided.
    with suppress(errors.Conflict):
        create.create_account(email=address.mailbox, name=name, tier=FREE, password_hash=password_hash)


def _account_of(address: Address) -> "Account | None":
    try:
        return find.account_by_email(address.claim)
    except errors.NotFound:
        return None
