"""Attempts at a password, wherever one is asked for: at log-in, and before an account's own changes.

Counted in the same windows as requests, under subjects that no request has: by network, by address (known or not), and
by account, of the devices that it logged in from. These have an allowance of their own, so a stranger who uses up that
of an address doesn't lock its owner out; they share it, since whoever was in an account once may have made many, and it
ends with the sessions. A session is no such device: whoever took one may guess no more often than anybody else.
"""

from dataclasses import dataclass

from chalicelib.accounts import sessions
from chalicelib.accounts.email_address import hashed
from chalicelib.accounts.tables import Account
from chalicelib.core import settings
from chalicelib.limits.admission import admit
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import hourly


@dataclass(frozen=True, slots=True)
class Caller:
    """Where an attempt comes from: every width of its network, and the secret of its device's cookie ("" for none)."""

    networks: tuple[str, ...]
    device: str = ""

    def __repr__(self) -> str:
        """Leave the device's secret out of logs and tracebacks."""
        return f"Caller({self.networks!r})"


def count_by_network(caller: Caller) -> None:
    """Count an attempt by the networks it comes from; raise Refused when one has made as many this hour as it may."""
    admit_networks(caller.networks, hourly("log-in-network", settings.current().log_in_attempts_per_network))


def count_by_account(caller: Caller, address: str, account: Account | None) -> None:
    """Count an attempt among those of its account's devices where it comes from one, else by address; raise Refused.

    `account` is None for an address that no account has; the device is looked for all the same: one read less would
    tell.
    """
    limit = settings.current().log_in_attempts_per_email
    if sessions.knows_device(caller.device, account) and account is not None:
        admit(f"log-in-device_{account.id}", hourly("log-in-device", limit))
    else:
        admit(f"log-in-email_{hashed(address)}", hourly("log-in-email", limit))
