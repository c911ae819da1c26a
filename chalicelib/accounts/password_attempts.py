"""Limits on password attempts, at log-in and before changes to the own account.

Attempts are counted by network, by email address (with or without an account), and by account for its remembered
devices. Those share an allowance of their own, so an attacker who exhausts that of the address doesn't lock the user
out. It is shared because an intruder may have registered many devices; ending the sessions forgets them. A session
doesn't count as a device: a stolen one gives no further attempts.
"""

from dataclasses import dataclass

from chalicelib.accounts import sessions
from chalicelib.accounts.email_address import hash_claim
from chalicelib.accounts.tables import Account
from chalicelib.core import settings
from chalicelib.limits.admission import admit
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import hourly


@dataclass(frozen=True, slots=True)
class Caller:
    """The source of an attempt: its networks in every width, and the secret of its device cookie ("" without one)."""

    networks: tuple[str, ...]
    device: str = ""

    def __repr__(self) -> str:
        """Return the networks only: the device's secret must not be logged."""
        return f"Caller({self.networks!r})"


def count_by_network(caller: Caller) -> None:
    """Count an attempt by the networks it comes from; raise Rejected when one has reached its hourly limit."""
    admit_networks(caller.networks, hourly("log-in-network", settings.current().log_in_attempts_per_network))


def count_by_account(caller: Caller, address: str, account: Account | None) -> None:
    """Count an attempt by the account's devices if it comes from one, otherwise by address; raise Rejected.

    `account` is None for an address without an account. The device is read in either case, so that the time doesn't
    reveal which.
    """
    limit = settings.current().log_in_attempts_per_email
    if sessions.is_known_device(caller.device, account) and account is not None:
        admit(f"log-in-device_{account.id}", hourly("log-in-device", limit))
    else:
        admit(f"log-in-email_{hash_claim(address)}", hourly("log-in-email", limit))
