"""Limits on password attempts, at log-in and before a user changes their own account.

An attempt is counted by network and by email address, whether or not an account has the address. An attempt from a
device on which the account has logged in is counted by account instead of by address. Thus an attacker who exhausts the
limit of the address doesn't lock the user out. All devices of an account share one limit, because an attacker may have
registered many devices. Ending all sessions also invalidates the remembered devices. A session doesn't count as a
device, so somebody who steals a session gets no additional attempts.
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
    """The source of an attempt: its networks, narrowest first, and the secret of its device cookie ("" without a
    cookie).
    """

    networks: tuple[str, ...]
    device: str = ""

    def __repr__(self) -> str:
        """Return the networks only: the device's secret must not be logged."""
        return f"Caller({self.networks!r})"


def count_by_network(caller: Caller) -> None:
    """Count an attempt for each network of the caller; raise Rejected when one has reached its hourly limit."""
    admit_networks(caller.networks, hourly("log-in-network", settings.current().log_in_attempts_per_network))


def count_by_account(caller: Caller, address: str, account: Account | None) -> None:
    """Count an attempt for the account if it comes from one of the account's devices, otherwise for the email address.

    `account` is None if no account has the address. The device is looked up even then, so that the response time
    doesn't reveal whether an account exists. Raises Rejected when the hourly limit is reached.
    """
    limit = settings.current().log_in_attempts_per_email
    if sessions.is_known_device(caller.device, account) and account is not None:
        admit(f"log-in-device_{account.id}", hourly("log-in-device", limit))
    else:
        admit(f"log-in-email_{hash_claim(address)}", hourly("log-in-email", limit))
