"""Limits on emails that a user or an anonymous caller requests; each is counted before it is composed.

The account's own user has an allowance that anonymous callers can't use up. Anonymous requests are counted by network
and address first, so one network can't use up another's share of an address.
"""

from chalicelib.accounts import sessions
from chalicelib.accounts.email_address import claim_of, hash_claim
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.tables import Account
from chalicelib.core import telemetry
from chalicelib.limits.admission import Rejected, admit
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import EmailTier


def count_own(account: Account, tier: EmailTier) -> Allowance:
    """Count an email that the account's own user requests, and return the account's remaining allowance.

    Raises Rejected when the account has reached its hourly limit for this kind of email.
    """
    return admit(f"mail_{account.id}", tier.own)


def count_address(address: str, tier: EmailTier) -> None:
    """Count an email to an address; raise Rejected when it has reached its hourly limit for this kind of email."""
    admit(_subject(address), tier.address)


def admit_email(address: str, networks: tuple[str, ...], tier: EmailTier) -> bool:
    """Count an email that an anonymous caller requests from `networks`; return whether to send it.

    If False, the caller must only simulate the sending: the response must not reveal what others requested.
    """
    try:
        # By the widest network: a /48 contains 65,536 narrower ones, each of which would have a share.
        admit(f"{_subject(address)}_{networks[-1]}", tier.share)
        count_address(address, tier)
    except Rejected:
        telemetry.warning("mail_held_back", kind=tier.address.name)
        return False
    return True


def admit_email_to(account: Account | None, address: str, caller: Caller, tier: EmailTier) -> bool:
    """Do what `admit_email` does, but use the account's own allowance if the caller's device has logged in to it.

    The device is read even if no account has the address, so that the time doesn't reveal whether one has.
    """
    if not sessions.is_known_device(caller.device, account) or account is None:
        return admit_email(address, caller.networks, tier)
    try:
        count_own(account, tier)
    except Rejected:
        return False
    return True


def _subject(address: str) -> str:
    # By the claim: other spellings reach the same mailbox. Hashed, as for log-in attempts.
    return f"mail_{hash_claim(claim_of(address))}"
