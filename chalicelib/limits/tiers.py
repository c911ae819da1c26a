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
    """How many mails of one kind may be asked for in an hour, by who asks."""

    own: Tier
    """By an account's own user: logged in, or on a device that logged in before. Strangers can't use these up."""
    share: Tier
    """To one address, by anybody from one network."""
    address: Tier
    """To one address, by anybody from anywhere: a mailbox must not be flooded."""
    network: Tier
    """To any address, from one network."""


def _mails(kind: str) -> MailTier:
    return MailTier(
        own=hourly(f"mail-{kind}-own", 5),
        share=hourly(f"mail-{kind}-share", 5),
        address=hourly(f"mail-{kind}", 20),
        network=hourly(f"mail-{kind}-network", 30),
    )


# A kind each: what strangers cause by signing up must never use up the mails to choose another password. Strangers on
# many networks together can use up what an address gets by anybody's wish; but each of those mails comes to its owner,
# and works for an hour.
VERIFICATION_MAILS = _mails("verification")
KNOWN_ADDRESS_MAILS = _mails("known-address")
RESET_MAILS = _mails("reset")
EMAIL_CHANGE_MAILS = _mails("email-change")

OF_ACCOUNTS = (FREE, PRO, ENTERPRISE)
BY_NAME = {tier.name: tier for tier in (*OF_ACCOUNTS, ANONYMOUS)}
