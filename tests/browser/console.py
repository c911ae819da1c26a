"""Start `server.py` with its own DynamoDB emulator, create users on it, and read their emails."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from chalicelib.core import randomness
from infra import engine
from tests.support import subprocess_server

PASSWORD = "violet harbour tin whistle"


@dataclass(frozen=True, slots=True)
class User:
    """A user with an account, whose id is `id`, and the password PASSWORD."""

    id: str
    user_id: str
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Key:
    """An API key."""

    id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Console:
    """A running console."""

    url: str
    mail: Path
    process: subprocess_server.Program

    def user(
        self,
        name: str = "Ada",
        *,
        email: str = "",
        tier: str = "free",
        admin: bool = False,
        verified: bool = True,
        password: str | None = PASSWORD,
    ) -> User:
        """Create a user with an account and return the user."""
        email = email or f"{randomness.base62(8).lower()}@example.com"
        fields = {"email": email, "name": name, "tier": tier, "admin": admin, "verified": verified}
        made = subprocess_server.send_command(self.process, do="account", password=password, **fields)
        return User(made["id"], made["user_id"], email, name)

    def add_member(self, account: User, user: User, role: str) -> None:
        """Add a user to the account of another one with a role."""
        ids = {"account_id": account.id, "user_id": user.user_id}
        subprocess_server.send_command(self.process, do="member", role=role, **ids)

    def suspend(self, account: User) -> None:
        """Suspend a user's account."""
        subprocess_server.send_command(self.process, do="suspend", account_id=account.id)

    def delete_account(self, owner: User) -> None:
        """Delete a user's account; the user stays."""
        ids = {"account_id": owner.id, "user_id": owner.user_id}
        subprocess_server.send_command(self.process, do="delete_account", password=PASSWORD, **ids)

    def session(self, user: User) -> str:
        """Start a session of a user and return its cookie value."""
        return str(subprocess_server.send_command(self.process, do="session", user_id=user.user_id)["session"])

    def key(self, user: User, *scopes: str, name: str = "Test key") -> Key:
        """Create a key of a user, by default with the scopes read and write, and return it."""
        return Key(
            **subprocess_server.send_command(
                self.process, do="key", account_id=user.id, name=name, scopes=scopes or ["read", "write"]
            )
        )

    def invitation(self, user: User, email: str) -> str:
        """Invite an address to a user's account and return the link."""
        return str(subprocess_server.send_command(self.process, do="invite", account_id=user.id, email=email)["link"])

    def unusual(self, user: User, key_id: str, why: str) -> None:
        """Create an alert for a key."""
        subprocess_server.send_command(self.process, do="unusual", account_id=user.id, key_id=key_id, why=why)

    def leaked(self, key: Key) -> None:
        """Report a key as leaked in a place that isn't public."""
        subprocess_server.send_command(self.process, do="leaked", secret=key.secret)

    def demo(self, user: User) -> dict[str, str]:
        """Create a user's keys of every state and a month of usage; return the ids of the keys by name."""
        keys: dict[str, str] = subprocess_server.send_command(self.process, do="demo", account_id=user.id)["keys"]
        return keys

    def status(self, secret: str) -> int:
        """Return the status of an API request with a key or an access token."""
        headers = {"Authorization": f"Bearer {secret}"}
        return requests.get(f"{self.url}/v1/users/me", headers=headers, timeout=60).status_code

    @contextmanager
    def crowded(self) -> Iterator[None]:
        """Make the server reject every page within a `with` block, by using up this second's burst limit."""
        subprocess_server.send_command(self.process, do="crowd")
        yield
        self.forward(1)

    def forward(self, seconds: float) -> None:
        """Advance the server's clock."""
        subprocess_server.send_command(self.process, do="forward", seconds=seconds)

    def emails(self, to: str) -> list[str]:
        """Return the emails to an address, newest last."""
        files = sorted(self.mail.glob("*.txt"), key=lambda file: file.stat().st_mtime_ns)
        return [text for text in (file.read_text() for file in files) if text.startswith(f"To: {to}\n")]

    def link(self, to: str) -> str:
        """Return the link in the newest email to an address."""
        found = re.search(r"https?://\S+", self.emails(to)[-1])
        assert found, "The newest letter holds no link."
        return found.group()


@contextmanager
def served(folder: Path, **environment: str) -> Iterator[Console]:
    """Run the server within a `with` block, with the variables `environment`.

    It writes log, data and emails to `folder`.
    """
    database = engine.start(folder / "console.db", say=False)
    settings = {"AWS_ENDPOINT_URL": database.url, "LATCHKEY_MAIL_FOLDER": str(folder / "mail"), **environment}
    try:
        with subprocess_server.run_module("tests.browser.server", folder / "server.log", **settings) as process:
            yield Console(subprocess_server.read_line(process)["url"], folder / "mail", process)
    finally:
        database.stop()
