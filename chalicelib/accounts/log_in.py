"""Log in with email and password.

Neither the response nor its time reveals whether the email is unknown, the password is wrong, or the sign-up is
unconfirmed. `password_attempts` limits guessing.
"""

from chalicelib.accounts import email_address as addresses
from chalicelib.accounts import find, password_attempts, passwords
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account
from chalicelib.core import errors


class WrongLogIn(errors.LatchkeyError):
    """The email or the password is wrong; the response doesn't reveal which."""

    status, error = 401, "wrong_log_in"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("Incorrect email or password.")


class Suspended(errors.LatchkeyError):
    """The password is correct but the account is suspended."""

    status, error = 403, "suspended"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("This account is suspended. Contact the operator of this API.")


def log_in(*, email: str, password: str, caller: Caller) -> Account:
    """Return the account with this email and password.

    Raises WrongLogIn, Suspended, or Rejected after too many attempts this hour.
    """
    password_attempts.count_by_network(caller)
    try:
        address = addresses.claim_of(email)
    except errors.InvalidRequest:
        address = addresses.pseudo_claim(email)
    account = _account_of(address)
    # Called even without an account: otherwise the number of database reads would reveal whether an account exists.
    password_attempts.count_by_account(caller, address, account)
    if not passwords.matches(password, account.password_hash if account else None) or account is None:
        raise WrongLogIn
    if account.status != ACTIVE:
        raise Suspended
    return account


def _account_of(address: str) -> Account | None:
    try:
        return find.account_by_email(address)
    except (errors.NotFound, errors.InvalidRequest):
        return None
