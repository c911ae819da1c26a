"""Logging in: wrong email and wrong password look and take alike, and guessing runs into limits of its own.

Attempts are counted in the same windows as requests, under subjects that no request has: by email (known or not), by
network, and by device. A device that logged in before has its own allowance, so a stranger who uses up that of an
email doesn't lock its owner out.
"""

import hashlib

from chalicelib.accounts import email as addresses
from chalicelib.accounts import passwords, sessions
from chalicelib.accounts.tables import Account, Email
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


def log_in(*, email: str, password: str, network: str, device: str) -> Account:
    """Return the account that `email` and `password` open.

    `network` is where the attempt comes from, `device` the secret of its device cookie ("" without one). Raises
    WrongLogIn, or Refused when too many attempts were made this hour.
    """
    chosen = settings.current()
    admit(f"log-in-network_{network}", _tier("network", chosen.log_in_attempts_per_network))
    try:
        address = addresses.normalised(email)
    except errors.InvalidRequest:
        address = "nobody@invalid"
    account = _account_of(address)
    known_device = sessions.knows_device(device, account.id) if account else None
    if known_device:
        admit(f"log-in-device_{known_device}", _tier("device", chosen.log_in_attempts_per_email))
    else:
        # Hashed: an address that nobody has signed up with must not stand in our tables.
        subject = hashlib.sha256(address.encode()).hexdigest()[:32]
        admit(f"log-in-email_{subject}", _tier("email", chosen.log_in_attempts_per_email))
    if not passwords.matches(password, account.password_hash if account else None) or account is None:
        raise WrongLogIn
    if account.status != "active":
        raise errors.LatchkeyError("This account is suspended. Write to the owner of this API.")
    return account


def _account_of(address: str) -> Account | None:
    """Two reads whether or not anyone has this address, so that it can't be told by the time they take."""
    try:
        account_id = Email.get(address, consistent_read=True).account_id
    except Email.DoesNotExist:
        account_id = "acc_nobody"
    try:
        account: Account = Account.get(account_id, consistent_read=True)
    except Account.DoesNotExist:
        return None
    return account


def _tier(what: str, attempts: int) -> Tier:
    return Tier(f"log-in-{what}", attempts, attempts, kept_s=KEPT_S)
