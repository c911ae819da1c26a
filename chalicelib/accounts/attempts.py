"""Attempts at a password, wherever one is asked for: at log-in, and before an account's own changes.

Counted in the same windows as requests, under subjects that no request has: by network, by address (known or not), and
by device. A device that logged in before has its own allowance, so a stranger who uses up that of an address doesn't
lock its owner out. A session is no such device: whoever took one may guess no more often than anybody else.
"""

from dataclasses import dataclass

from chalicelib.accounts import sessions
from chalicelib.accounts.email import hashed
from chalicelib.core import settings
from chalicelib.limits.admission import admit
from chalicelib.limits.networks import admit_networks
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


def count_by_account(caller: Caller, address: str, account_id: str) -> None:
    """Count an attempt by its device where that one is known to the account, else by the address; raise Refused.

    `account_id` is that of nobody for an address that no account has: one read less would tell.
    """
    limit = settings.current().log_in_attempts_per_email
    known_device = sessions.knows_device(caller.device, account_id)
    if known_device:
        admit(f"log-in-device_{known_device}", hourly("log-in-device", limit))
    else:
        admit(f"log-in-email_{hashed(address)}", hourly("log-in-email", limit))
