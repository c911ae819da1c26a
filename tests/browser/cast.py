"""The users whose pages the browser tests open."""

from dataclasses import dataclass
from functools import cached_property

from tests.browser import applications
from tests.browser.console import Console, Key, User

LONG = "Wolfeschlegelsteinhausenbergerdorff" * 2
"""A long name without spaces."""


@dataclass(frozen=True)
class Cast:
    """The users whose pages are tested, each created on first use."""

    console: Console

    @cached_property
    def ada(self) -> User:
        """A user with keys in every state and a month of usage."""
        return self.console.user("Ada Lovelace", tier="pro")

    @cached_property
    def keys(self) -> dict[str, str]:
        """The ids of Ada's keys, by name."""
        return self.console.demo(self.ada)

    @cached_property
    def new(self) -> User:
        """A new user with an unverified address and a long name."""
        return self.console.user(LONG, verified=False, email=f"{LONG[:60]}@{LONG[:60]}.example.com".lower())

    @cached_property
    def member(self) -> User:
        """A viewer of Ada's account, who also has an account with a long name and a suspended one."""
        member, third = self.console.user(LONG), self.console.user("Mallory Ltd")
        for account in (self.ada, third):
            self.console.add_member(account, member, "viewer")
        self.console.suspend(third)
        return member

    @cached_property
    def suspended(self) -> User:
        """A user whose only account is suspended."""
        user = self.console.user("Mallory")
        self.console.suspend(user)
        return user

    @cached_property
    def leaver(self) -> User:
        """A user without an account."""
        user = self.console.user("Hedy Lamarr")
        self.console.delete_account(user)
        return user

    @cached_property
    def admin(self) -> User:
        """An administrator."""
        return self.console.user("Grace Hopper", tier="enterprise", admin=True)

    @cached_property
    def invitation(self) -> str:
        """The link of an invitation for an address without a user."""
        return self.console.invitation(self.admin, "alan.turing@example.com")

    @cached_property
    def unverified_client(self) -> str:
        """The id of a dynamically registered client with a long name."""
        return applications.register_dynamically(self.console, f"Ledger {LONG}")

    @cached_property
    def alerted(self) -> User:
        """A user with alerts for two keys."""
        return self.console.user("Katherine Johnson")

    @cached_property
    def unusual_key(self) -> Key:
        """Of the two keys of the user `alerted`, the one that has also leaked."""
        other, key = (self.console.key(self.alerted, name=name) for name in (LONG[:64], "Storefront"))
        for each in (other, key):
            self.console.unusual(self.alerted, each.id, "requests from a new network")
        self.console.leaked(key)
        return key

    @cached_property
    def spare(self) -> Key:
        """A key of the administrator with a long name."""
        return self.console.key(self.admin, "read", "write", "keys", "admin", name=LONG[:64])
