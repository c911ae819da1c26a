"""Accounts whose address isn't verified: until it is, they give nobody access."""

from chalicelib.accounts import email_sender
from chalicelib.accounts.tables import Account
from chalicelib.core import errors


def is_unproven(account: Account) -> bool:
    """Tell whether an account has yet to prove its address before it gives anybody access.

    Where no mail leaves nobody could, so nobody has to.
    """
    return email_sender.is_configured() and account.email_verified_at is None


def check_proven(account: Account) -> None:
    """Raise Conflict while an account has yet to prove its address."""
    if is_unproven(account):
        raise email_not_verified()


def email_not_verified() -> errors.Conflict:
    """Return what an account is told that has yet to prove its address."""
    return errors.Conflict("Confirm your email address first. Request a link in Settings > Account.")
