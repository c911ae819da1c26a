"""The tiers: the number of requests that an account may make per clock hour and per burst window."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Tier:
    """A quota per clock hour (None: unlimited), a burst limit, and the time for which counter items are stored."""

    name: str
    quota: int | None
    burst: int
    kept_s: int = 31 * 24 * 3_600


FREE = Tier("free", 1_000, 50)
PRO = Tier("pro", 10_000, 200)
ENTERPRISE = Tier("enterprise", None, 1_000)
ANONYMOUS = Tier("anonymous", 3_600, 50, kept_s=2 * 3_600)
CLIENT = Tier("client", 36_000, 200, kept_s=2 * 3_600)
"""Requests to the OAuth endpoints from a client that an account registered and that authenticates with a secret."""

REGISTRATIONS = Tier("registration", 100, 20, kept_s=2 * 3_600)
"""Dynamic client registrations per hour from one network."""
DEVICE_STARTS = Tier("device-starts", 300, 20, kept_s=2 * 3_600)
"""Device authorization requests per hour from one network, for clients that are public or registered dynamically."""
DOCUMENT_FETCHES = Tier("document-fetches", 60, 10, kept_s=2 * 3_600)
"""Client metadata documents that the service fetches per hour because of requests from one network."""
WEBHOOK_TESTS = Tier("webhook-tests", 60, 20, kept_s=2 * 3_600)
"""Manual webhook tests and resends per hour, for one account and for one network. Each occupies a Lambda function."""


def hourly(name: str, attempts: int) -> Tier:
    """Return a tier with `attempts` per hour. All of them may be made within one second."""
    return Tier(name, attempts, attempts, kept_s=2 * 3_600)


SIGN_UPS = hourly("sign-ups", 30)
"""Sign-ups per hour from one network. Each computes a password hash, and sends an email or creates an account."""
FURTHER_ACCOUNTS = hourly("further-accounts", 5)
"""Further accounts per hour that one user creates. Each has a quota of its own. They also count as sign-ups."""


class EmailTier(NamedTuple):
    """The number of emails of one kind that may be requested per hour. There is a limit for each kind of requester."""

    own: Tier
    """Emails that the account's own user requests: logged in, or on a device on which the account has logged in before.
    Anonymous callers can't exhaust this limit.
    """
    share: Tier
    """Emails to one address that anonymous callers from one network request."""
    address: Tier
    """Emails to one address that all anonymous callers together request. This protects the mailbox from a flood."""
    network: Tier
    """Emails to any address that anonymous callers from one network request."""


def _mails(kind: str) -> EmailTier:
    return EmailTier(
        own=hourly(f"mail-{kind}-own", 5),
        share=hourly(f"mail-{kind}-share", 5),
        address=hourly(f"mail-{kind}", 20),
        network=hourly(f"mail-{kind}-network", 30),
    )


# Each kind of email has its own tier, so that anonymous sign-ups can't exhaust the emails that reset a password.
# Anonymous callers on many networks can together exhaust the limit of an address. But then the owner of the address has
# received emails whose links work for an hour.
VERIFICATION_EMAILS = _mails("verification")
REGISTERED_ADDRESS_EMAILS = _mails("known-address")
RESET_EMAILS = _mails("reset")
EMAIL_CHANGE_EMAILS = _mails("email-change")
INVITATION_EMAILS = _mails("invitation")
INVITATIONS = hourly("invitations", 50)
"""Invitations per hour that one account sends."""

OF_ACCOUNTS = (FREE, PRO, ENTERPRISE)
BY_NAME = {tier.name: tier for tier in (*OF_ACCOUNTS, ANONYMOUS)}
