"""The tiers: how many requests an account may make in a clock hour, and how many in one burst window."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Tier:
    """A quota per clock hour (None: unlimited) and a burst limit; how long its counters are kept."""

    name: str
    quota: int | None
    burst: int
    kept_s: int = 31 * 24 * 3_600


FREE = Tier("free", 1_000, 50)
PRO = Tier("pro", 10_000, 200)
ENTERPRISE = Tier("enterprise", None, 1_000)
ANONYMOUS = Tier("anonymous", 3_600, 50, kept_s=2 * 3_600)
CLIENT = Tier("client", 36_000, 200, kept_s=2 * 3_600)
"""Requests to the token endpoint and its neighbours by an OAuth client with a secret that an account registered."""

REGISTRATIONS = Tier("registration", 100, 20, kept_s=2 * 3_600)
"""OAuth clients that one network may register in an hour."""
DEVICE_STARTS = Tier("device-starts", 300, 20, kept_s=2 * 3_600)
"""Device authorizations that one network may start in an hour for clients that anyone can pose as or register."""
DOCUMENT_FETCHES = Tier("document-fetches", 60, 10, kept_s=2 * 3_600)
"""Client metadata documents that one network may make us fetch in an hour."""
WEBHOOK_TESTS = Tier("webhook-tests", 60, 20, kept_s=2 * 3_600)
"""How many messages by hand, tests and repeats, one account may have sent, and one network: each holds a function."""


def hourly(name: str, attempts: int) -> Tier:
    """Return the tier of something that may be done so often in an hour, all of it in one second if need be."""
    return Tier(name, attempts, attempts, kept_s=2 * 3_600)


SIGN_UPS = hourly("sign-ups", 30)
"""Sign-ups from one network. Each costs a password hash and sends a mail, or makes an account where none is sent."""


class MailTier(NamedTuple):
    """How many mails of one kind an address gets in an hour, and how many one network may ask for."""

    address: Tier
    network: Tier


def _mails(kind: str, *, an_address: int, a_network: int) -> MailTier:
    return MailTier(hourly(f"mail-{kind}", an_address), hourly(f"mail-{kind}-network", a_network))


# A kind each: what strangers cause by signing up must never use up the mails to choose another password. By asking for
# those themselves they do use them up; but these come to the address' owner, who may use any of them.
VERIFICATION_MAILS = _mails("verification", an_address=5, a_network=30)
KNOWN_ADDRESS_MAILS = _mails("known-address", an_address=5, a_network=30)
RESET_MAILS = _mails("reset", an_address=10, a_network=30)
EMAIL_CHANGE_MAILS = _mails("email-change", an_address=5, a_network=30)

OF_ACCOUNTS = (FREE, PRO, ENTERPRISE)
BY_NAME = {tier.name: tier for tier in (*OF_ACCOUNTS, ANONYMOUS)}
