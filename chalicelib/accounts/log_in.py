"""Logging in: wrong email and wrong password look and take alike, and guessing runs into limits of its own.

Attempts are counted in the same windows as requests, under subjects that no request has: by email (known or not), by
network, and by device. A device that logged in before has its own allowance, so a stranger who uses up that of an
email doesn't lock its owner out.
"""

import hashlib

from chalicelib.accounts import email as addresses
from chalicelib.accounts import find, passwords, sessions
from chalicelib.accounts.tables import Account
from chalicelib.core import errors, settings
from chalicelib.limits.admission import admit
from chalicelib.limits.tiers import Tier

KEPT_S = 2 * 3_600


class WrongLogIn(errors.LatchkeyError):
    """The email or the password is wrong; which of the two, a stranger must not learn."""

    status, error = 401, "wrong_log_in"

    def __init__(self) -> None:
        """Say the one thing."""
        super().__init__("Email or password is wrong.")


class Suspended(errors.LatchkeyError):
    """The log-in is right, and the account suspended. Only who has the password learns it."""

    status, error = 403, "suspended"

    def __init__(self) -> None:
        """Say whom to ask."""
        super().__init__("This account is suspended. Write to the owner of this API.")


def log_in(*, email: str, password: str, network: str, device: str) -> Account:
    """Return the account that `email` and `password` open.

    `network` is where the attempt comes from, `device` the secret of its device cookie ("" without one). Raises
    WrongLogIn, Suspended, or Refused when too many attempts were made this hour.
    """
    chosen = settings.current()
    admit(f"log-in-network_{network}", _tier("network", chosen.log_in_attempts_per_network))
    try:
        address = addresses.normalised(email)
    except errors.InvalidRequest:
        address = "nobody@invalid"
    account = _account_of(address)
    # Asked for nobody too: with a device of one's own, one more read would tell which addresses are known.
    known_device = sessions.knows_device(device, account.id if account else find.NOBODY)
    if known_device:
        admit(f"log-in-device_{known_device}", _tier("device", chosen.log_in_attempts_per_email))
    else:
        # Hashed: an address that nobody has signed up with must not stand in our tables.
        subject = hashlib.sha256(address.encode()).hexdigest()[:32]
        admit(f"log-in-email_{subject}", _tier("email", chosen.log_in_attempts_per_email))
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


def _tier(what: str, attempts: int) -> Tier:
    return Tier(f"log-in-{what}", attempts, attempts, kept_s=KEPT_S)
