"""Sign-up limits: sign-ups from one network, and sign-up emails to one address. The values are in `limits.tiers`."""

from typing import TYPE_CHECKING

from chalicelib.accounts import email_limits
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import REGISTERED_ADDRESS_EMAILS, SIGN_UPS, VERIFICATION_EMAILS

if TYPE_CHECKING:
    from chalicelib.accounts.tables import Account


def count_sign_up(networks: tuple[str, ...]) -> None:
    """Count a sign-up for each network of the caller; raise Rejected when one has reached its hourly limit."""
    admit_networks(networks, SIGN_UPS)


def admit_email(account: "Account | None", address: str, networks: tuple[str, ...]) -> bool:
    """Count the email of a sign-up; return whether to send it.

    Emails to an address that already has an account are counted separately, with their own limits.
    """
    tier = VERIFICATION_EMAILS if account is None else REGISTERED_ADDRESS_EMAILS
    return email_limits.admit_email(address, networks, tier)
