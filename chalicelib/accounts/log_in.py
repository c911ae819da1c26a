"""Logging in: unknown email, wrong password and a sign-up that isn't confirmed look and take alike.

Guessing runs into limits of its own (see `attempts`).
"""

from chalicelib.accounts import email_address as addresses
from chalicelib.accounts import find, password_attempts, passwords
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.tables import Account
from chalicelib.core import errors


class WrongLogIn(errors.LatchkeyError):
    """The email or the password is wrong; which of the two, a stranger must not learn."""

    status, error = 401, "wrong_log_in"

    def __init__(self) -> None:
        """Say the one thing."""
        super().__init__("Incorrect email or password.")


class Suspended(errors.LatchkeyError):
    """The log-in is right, and the account suspended. Only who has the password learns it."""

    status, error = 403, "suspended"

    def __init__(self) -> None:
        """Say whom to ask."""
        super().__init__("This account is suspended. Contact the operator of this API.")


def log_in(*, email: str, password: str, caller: Caller) -> Account:
    """Return the account that `email` and `password` open.

    Raises WrongLogIn, Suspended, or Refused when too many attempts were made this hour.
    """
    password_attempts.count_by_network(caller)
    try:
        address = addresses.normalised(email)
    except errors.InvalidRequest:
        address = addresses.as_typed(email)
    account = _account_of(address)
    # Asked for nobody too: with a device of one's own, one more read would tell which addresses are known.
    password_attempts.count_by_account(caller, address, account)
    if not passwords.matches(password, account.password_hash if account else None) or account is None:
        raise WrongLogIn
    if account.status != "active":
        raise Suspended
    return account


def _account_of(address: str) -> Account | None:
    try:
        return find.account_by_email(address)
    except (errors.NotFound, errors.InvalidRequest):
        return None
