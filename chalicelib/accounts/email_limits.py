"""Limits on emails that a user or an anonymous caller requests.

A user has an allowance of their own, which anonymous callers can't use up. Each network of anonymous callers can
request only a limited share of the emails to one address, so that one network can't use up the limit of the address.
So can each account that sends invitations.
"""

from chalicelib.accounts import sessions
from chalicelib.accounts.email_address import claim_of, hash_claim
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.tables import User
from chalicelib.core import telemetry
from chalicelib.limits.admission import Rejected, admit
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import INVITATION_EMAILS, EmailTier


def count_own(user: User, tier: EmailTier) -> Allowance:
    """Count an email that a user requests, and return the user's remaining allowance.

    Raises Rejected when the user has reached their hourly limit for this kind of email.
    """
    return admit(f"mail_{user.id}", tier.own)


def count_address(address: str, tier: EmailTier) -> None:
    """Count an email to an address; raise Rejected when the address has reached its hourly limit for this kind of
    email.
    """
    admit(_subject(address), tier.address)


def count_invitation(address: str, account_id: str) -> None:
    """Count an invitation of an account to an address; raise Rejected when the account has reached its share of the
    address's hourly limit, or all accounts together the limit.
    """
    # Each account has only a share, so that one can't prevent all others from inviting the address.
    admit(f"{_subject(address)}_{account_id}", INVITATION_EMAILS.share)
    count_address(address, INVITATION_EMAILS)


def admit_email(address: str, networks: tuple[str, ...], tier: EmailTier) -> bool:
    """Count an email that an anonymous caller from `networks` requests; return whether to send it.

    If the result is False, only simulate the sending, because the response must not reveal what other callers have
    requested.
    """
    try:
        # Count by the widest network. A /48 contains 65,536 networks of size /64. If each of these were counted
        # separately, the owner of a /48 would get 65,536 shares.
        admit(f"{_subject(address)}_{networks[-1]}", tier.share)
        count_address(address, tier)
    except Rejected:
        telemetry.warning("mail_held_back", kind=tier.address.name)
        return False
    return True


def admit_email_to(user: User | None, address: str, caller: Caller, tier: EmailTier) -> bool:
    """Count an email as `admit_email` does, or as `count_own` does if the user has logged in on the caller's device.

    Returns whether to send the email. The device is looked up even if no user has the address, so that the response
    time doesn't reveal whether a user exists.
    """
    if not sessions.is_known_device(caller.device, user) or user is None:
        return admit_email(address, caller.networks, tier)
    try:
        count_own(user, tier)
    except Rejected:
        return False
    return True


def _subject(address: str) -> str:
    # Use the claim as the counter's name, because other spellings of an address reach the same mailbox. The claim is
    # hashed so that addresses without a user aren't stored.
    return f"mail_{hash_claim(claim_of(address))}"
