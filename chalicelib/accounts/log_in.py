"""Log in with email and password.

Neither the response nor its time reveals whether the email is unknown, the password is wrong, or the sign-up is
unconfirmed. `password_attempts` limits guessing.
"""

from chalicelib.accounts import email_address as addresses
from chalicelib.accounts import find, password_attempts, passwords
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import User
from chalicelib.core import errors


class WrongLogIn(errors.LatchkeyError):
    """The email or the password is wrong; the response doesn't reveal which."""

    status, error = 401, "wrong_log_in"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("Incorrect email or password.")


class Suspended(errors.LatchkeyError):
    """The password is correct but the user is suspended."""

    status, error = 403, "suspended"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("This account is suspended. Contact the operator of this API.")


def log_in(*, email: str, password: str, caller: Caller) -> User:
    """Return the user with this email and password.

    Raises WrongLogIn, Suspended, or Rejected after too many attempts this hour.
    """
    password_attempts.count_by_network(caller)
    try:
        address = addresses.claim_of(email)
    except errors.InvalidRequest:
        address = addresses.pseudo_claim(email)
    user = _user_of(address)
    # Called even without a user: otherwise the number of database reads would reveal whether a user exists.
    password_attempts.count_by_user(caller, address, user)
    if not passwords.matches(password, user.password_hash if user else None) or user is None:
        raise WrongLogIn
    if user.status != ACTIVE:
        raise Suspended
    return user


def _user_of(address: str) -> User | None:
    try:
        return find.user_by_email(address)
    except (errors.NotFound, errors.InvalidRequest):
        return None
