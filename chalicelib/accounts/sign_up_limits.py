"""Sign-up limits: sign-ups from one network, sign-up emails to one address, and further accounts of one user.

The values are in `limits.tiers`.
"""

from typing import TYPE_CHECKING

from chalicelib.accounts import email_limits
from chalicelib.limits.admission import admit
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import FURTHER_ACCOUNTS, REGISTERED_ADDRESS_EMAILS, SIGN_UPS, VERIFICATION_EMAILS

if TYPE_CHECKING:
    from chalicelib.accounts.tables import User


def count_sign_up(networks: tuple[str, ...]) -> None:
    """Count a sign-up for each network of the caller; raise Rejected when one has reached its hourly limit."""
    admit_networks(networks, SIGN_UPS)


def count_further_account(user: "User", networks: tuple[str, ...]) -> None:
    """Count a further account that a user creates, first for the user and then as a sign-up from the user's networks.

    Raises Rejected when one of them has reached its hourly limit.
    """
    admit(f"accounts_{user.id}", FURTHER_ACCOUNTS)
    count_sign_up(networks)


def admit_email(user: "User | None", address: str, networks: tuple[str, ...]) -> bool:
    """Count the email of a sign-up; return whether to send it.

    Emails to an address that already has a user are counted separately, with their own limits.
    """
    tier = VERIFICATION_EMAILS if user is None else REGISTERED_ADDRESS_EMAILS
    return email_limits.admit_email(address, networks, tier)
