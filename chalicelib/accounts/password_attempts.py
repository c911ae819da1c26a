"""Limits on password attempts, at log-in and before a user changes their own profile.

An attempt is counted by network and by email address, whether or not a user has the address. An attempt from a device
on which the user has logged in is counted by user instead of by address. Thus an attacker who exhausts the limit of the
address doesn't lock the user out. All devices of a user share one limit, because an attacker may have registered many
devices. Ending all sessions also invalidates the remembered devices. A session doesn't count as a
device, so somebody who steals a session gets no additional attempts.
"""

from dataclasses import dataclass

from chalicelib.accounts import sessions
from chalicelib.accounts.email_address import hash_claim
from chalicelib.accounts.tables import User
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


def count_by_user(caller: Caller, address: str, user: User | None) -> None:
    """Count an attempt for the user if it comes from one of the user's devices, otherwise for the email address.

    `user` is None if no user has the address. The device is looked up even then, so that the response time doesn't
    reveal whether a user exists. Raises Rejected when the hourly limit is reached.
    """
    limit = settings.current().log_in_attempts_per_email
    if sessions.is_known_device(caller.device, user) and user is not None:
        admit(f"log-in-device_{user.id}", hourly("log-in-device", limit))
    else:
        admit(f"log-in-email_{hash_claim(address)}", hourly("log-in-email", limit))
