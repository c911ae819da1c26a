"""The tiers: how many requests an account may make per clock hour and per burst window."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Tier:
    """A quota per clock hour (None: unlimited), a burst limit, and how long the counters are kept."""

    name: str
    quota: int | None
    burst: int
    kept_s: int = 31 * 24 * 3_600


FREE = Tier("free", 1_000, 50)
PRO = Tier("pro", 10_000, 200)
ENTERPRISE = Tier("enterprise", None, 1_000)
ANONYMOUS = Tier("anonymous", 3_600, 50, kept_s=2 * 3_600)
CLIENT = Tier("client", 36_000, 200, kept_s=2 * 3_600)
"""Requests to the OAuth endpoints by a client that an account registered and that authenticates with a secret."""

REGISTRATIONS = Tier("registration", 100, 20, kept_s=2 * 3_600)
"""OAuth clients that one network may register per hour."""
DEVICE_STARTS = Tier("device-starts", 300, 20, kept_s=2 * 3_600)
"""Device authorizations that one network may start per hour for clients that are public or dynamically registered."""
DOCUMENT_FETCHES = Tier("document-fetches", 60, 10, kept_s=2 * 3_600)
"""Client metadata documents that one network may make the service fetch per hour."""
WEBHOOK_TESTS = Tier("webhook-tests", 60, 20, kept_s=2 * 3_600)
"""Manual webhook tests and resends in an hour, per account and per network: each occupies a function."""


def hourly(name: str, attempts: int) -> Tier:
    """Return a tier of `attempts` per hour, all of which may be made in one second."""
    return Tier(name, attempts, attempts, kept_s=2 * 3_600)


SIGN_UPS = hourly("sign-ups", 30)
"""Sign-ups from one network. Each costs a password hash, and sends an email or creates an account."""


class EmailTier(NamedTuple):
    """How many emails of one kind may be requested per hour, by requester and recipient."""

    own: Tier
    """Emails that the account's own user may request: logged in, or on a device with an earlier log-in. Anonymous
    callers can't exhaust this limit.
    """
    share: Tier
    """Emails to one address that anonymous callers from one network may request."""
    address: Tier
    """Emails to one address that all anonymous callers may request, so that a mailbox isn't flooded."""
    network: Tier
    """Emails to any address that anonymous callers from one network may request."""


def _mails(kind: str) -> EmailTier:
    return EmailTier(
        own=hourly(f"mail-{kind}-own", 5),
        share=hourly(f"mail-{kind}-share", 5),
        address=hourly(f"mail-{kind}", 20),
        network=hourly(f"mail-{kind}-network", 30),
    )


# Each kind has its own tier: anonymous sign-ups must never exhaust the emails that reset a password. Anonymous callers
# on many networks can together exhaust the limit of an address, but each of those emails reaches its owner and works
# for an hour.
VERIFICATION_EMAILS = _mails("verification")
REGISTERED_ADDRESS_EMAILS = _mails("known-address")
RESET_EMAILS = _mails("reset")
EMAIL_CHANGE_EMAILS = _mails("email-change")

OF_ACCOUNTS = (FREE, PRO, ENTERPRISE)
BY_NAME = {tier.name: tier for tier in (*OF_ACCOUNTS, ANONYMOUS)}
