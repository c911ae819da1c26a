"""An account with an unverified email address can't have keys, webhooks, applications or consents."""

from chalicelib.accounts import email_sender
from chalicelib.accounts.tables import Account
from chalicelib.core import errors


def must_verify_email(account: Account) -> bool:
    """Return whether an account must verify its address before it can create keys or otherwise give access.

    If email isn't configured, no address can be verified, so the result is False for every account.
    """
    return email_sender.is_configured() and account.email_verified_at is None


def require_verified_email(account: Account) -> None:
    """Raise Conflict if an account must verify its address first."""
    if must_verify_email(account):
        raise email_not_verified()


def email_not_verified() -> errors.Conflict:
    """Return the error for an account that must verify its address first."""
    return errors.Conflict("Confirm your email address first. Request a link in Settings > Account.")
