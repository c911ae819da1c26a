"""Sign up, and request a password reset. Neither the response nor its time reveals whether a user has the address.

With and without a user, the same calls are made. Only the text of the email differs, and only the owner of the
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
    from chalicelib.accounts.tables import User


@dataclass(frozen=True, slots=True)
class SignUpRequest:
    """Data of the request to sign up: the caller's networks, narrowest first, the digest of the browser's pre-session
    cookie, and the URL at which the browser continues.
    """

    networks: tuple[str, ...]
    browser: str = ""
    after: str = ""


def sign_up(*, email: str, name: str, password: str, request: SignUpRequest, base_url: str) -> None:
    """Send an email with a link that creates the user and their account. If the address has a user, the email says so
    instead.

    If email isn't configured, both are created immediately. Raises InvalidRequest for an invalid address or
    password, Rejected when a sign-up limit is exceeded, and EmailNotSent when the email couldn't be sent.
    """
    address = parse(email)
    password_rules.check_format(password)
    sign_up_limits.count_sign_up(request.networks)
    # Hash the password before the user is read, so that the response takes equally long if the address has a user.
    password_hash = passwords.hash_password(password_rules.validate(password, email=address.claim, name=name))
    if not email_sender.is_configured():
        _create_now(address, name, password_hash)
        return
    asked = pending_sign_up.PendingSignUp(address.mailbox, name, password_hash, request.browser, request.after)
    user = _user_of(address)
    # A token is stored even if the address has a user, so that the response takes equally long. It is then never
    # sent.
    secret = pending_sign_up.new_token(asked)
    if user is None:
        message = emails.confirm_sign_up(address.mailbox, f"{base_url}/verify?ticket={secret}")
    else:
        message = emails.address_has_user(user, f"{base_url}/login", f"{base_url}/forgot")
    if sign_up_limits.admit_email(user, address.claim, request.networks):
        email_sender.send_or_fail(message)
    else:
        email_sender.simulate_or_fail(message)


def send_verification(user: "User", *, networks: tuple[str, ...], base_url: str) -> None:
    """Send a logged-in user a link that verifies their address.

    Raises Rejected when the user or the network has reached a limit, and EmailNotSent when SES rejects the email.
    """
    admit_networks(networks, VERIFICATION_EMAILS.network)
    email_limits.count_own(user, VERIFICATION_EMAILS)
    token = email_links.new_link(user.id, email_links.VERIFY_EMAIL, email=user.email, epoch=user.session_epoch)
    email_sender.send_or_fail(emails.verify(user, f"{base_url}/verify?ticket={token}"))


def request_password_reset(*, email: str, caller: Caller, base_url: str) -> None:
    """Send a link to set a new password, if a user has this address.

    Raises InvalidRequest for an invalid address, Rejected when the network has reached its limit. A rejection by SES
    is only logged: SES may reject a single address, and an error would reveal that a user has it.
    """
    address = parse(email)
    admit_networks(caller.networks, RESET_EMAILS.network)
    user = _user_of(address)
    may_send = email_limits.admit_email_to(user, address.claim, caller, RESET_EMAILS)
    if user is None:
        token = email_links.new_link(find.NO_USER, email_links.SET_PASSWORD, email=address.claim, epoch=0)
        email_sender.simulate(emails.reset_without_user(address.mailbox, f"{base_url}/password?ticket={token}"))
        return
    token = email_links.new_link(user.id, email_links.SET_PASSWORD, email=user.email, epoch=user.session_epoch)
    message = emails.reset(user, f"{base_url}/password?ticket={token}")
    if may_send:
        email_sender.send(message)
    else:
        email_sender.simulate(message)


def _create_now(address: Address, name: str, password_hash: str) -> None:
    # If a user has the address, the page doesn't reveal this. A later log-in with the new password fails, and that
    # reveals the user. If email isn't configured, this can't be avoided.
    with suppress(errors.Conflict):
        create.create_account(email=address.mailbox, name=name, tier=FREE, password_hash=password_hash)


def _user_of(address: Address) -> "User | None":
    try:
        return find.user_by_email(address.claim)
    except errors.NotFound:
        return None
