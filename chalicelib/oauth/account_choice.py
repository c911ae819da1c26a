"""The accounts for which a user can approve a request of a client, and the scopes that the client gets in each of them.

They are those requested scopes that the user's role in the account allows when the user approves (RFC 6749 §3.3).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.accounts.members import Membership, SuspendedAccount
from chalicelib.accounts.states import ACTIVE
from chalicelib.core import errors
from chalicelib.credentials import scopes


@dataclass(frozen=True, slots=True)
class Choice:
    """An account of the user, and the scopes that the client gets if the user chooses this account."""

    membership: Membership
    scopes: frozenset[str]

    @property
    def account_id(self) -> str:
        """Return the id of the account."""
        return self.membership.account.id


class NoAccount(errors.Conflict):
    """The user belongs to no account."""

    def __init__(self) -> None:
        """Set the message."""
        super().__init__(
            "An app needs an account, and you don't belong to one. Create one in Settings > Your accounts, then start"
            " again from the app."
        )


class NoScope(errors.LatchkeyError):
    """In none of the user's accounts does the role allow any of the requested scopes."""

    status, error = 403, "insufficient_role"

    def __init__(self, requested: Iterable[str]) -> None:
        """Set the message, which names the requested scopes."""
        names = ", ".join(scopes.in_order(requested))
        super().__init__(
            f"Your role in the account allows none of the permissions that this app asks for ({names}). Ask an owner of"
            " the account."
        )


def choices(memberships: Iterable[Membership], requested: frozenset[str]) -> list[Choice]:
    """Return the accounts that the user can choose for a request of these scopes, oldest first.

    Suspended accounts, and accounts in which the client would get no scope, are omitted. If none remains, raise
    NoAccount, SuspendedAccount or NoScope.
    """
    every = list(memberships)
    active = [each for each in every if each.account.status == ACTIVE]
    allowed = [Choice(each, scopes.effective(requested, role=each.role, admin=False)) for each in active]
    found = [choice for choice in allowed if choice.scopes]
    if found:
        return found
    if active:
        raise NoScope(requested)
    raise SuspendedAccount if every else NoAccount


def pick(offered: list[Choice], account_id: str) -> Choice:
    """Return the choice of an account; raise InvalidRequest unless it is offered."""
    for choice in offered:
        if choice.account_id == account_id:
            return choice
    raise errors.InvalidRequest("Select an account.").about("for_account")


def content(offered: list[Choice]) -> list[tuple[str, list[str]]]:
    """Return the accounts and their scopes as the digest of a page contains them."""
    return [(choice.account_id, sorted(choice.scopes)) for choice in offered]
