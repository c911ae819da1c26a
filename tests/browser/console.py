"""Starts the server of `server.py` on an engine of its own, asks it for people to be, and reads their mail."""

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
class Person:
    """Someone with an account and the password PASSWORD."""

    id: str
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

    def person(
        self,
        name: str = "Ada",
        *,
        email: str = "",
        tier: str = "free",
        admin: bool = False,
        verified: bool = True,
        password: str | None = PASSWORD,
    ) -> Person:
        """Return someone with a new account."""
        email = email or f"{randomness.base62(8).lower()}@example.com"
        asked = {"email": email, "name": name, "tier": tier, "admin": admin, "verified": verified}
        return Person(
            subprocess_server.send_command(self.process, do="account", password=password, **asked)["id"], email, name
        )

    def session(self, person: Person) -> str:
        """Return the secret of a new session, as its cookie carries it."""
        return str(subprocess_server.send_command(self.process, do="session", account_id=person.id)["session"])

    def key(self, person: Person, *scopes: str, name: str = "Test key") -> Key:
        """Return a new key of a person, with read and write unless other scopes are named."""
        return Key(
            **subprocess_server.send_command(
                self.process, do="key", account_id=person.id, name=name, scopes=scopes or ["read", "write"]
            )
        )

    def unusual(self, person: Person, key_id: str, why: str) -> None:
        """Let something unusual be noticed about a key."""
        subprocess_server.send_command(self.process, do="unusual", account_id=person.id, key_id=key_id, why=why)

    def leaked(self, key: Key) -> None:
        """Report a key as found in a place that isn't public."""
        subprocess_server.send_command(self.process, do="leaked", secret=key.secret)

    def demo(self, person: Person) -> dict[str, str]:
        """Give a person keys of every state and a month of usage; return the ids of the keys by name."""
        keys: dict[str, str] = subprocess_server.send_command(self.process, do="demo", account_id=person.id)["keys"]
        return keys

    def status(self, secret: str) -> int:
        """Return with which status the API answers a key or an access token."""
        headers = {"Authorization": f"Bearer {secret}"}
        return requests.get(f"{self.url}/v1/users/me", headers=headers, timeout=60).status_code

    @contextmanager
    def crowded(self) -> Iterator[None]:
        """Refuse every page for the length of a `with` block: this second's burst is used up."""
        subprocess_server.send_command(self.process, do="crowd")
        yield
        self.forward(1)

    def forward(self, seconds: float) -> None:
        """Move the server's clock."""
        subprocess_server.send_command(self.process, do="forward", seconds=seconds)

    def letters(self, to: str) -> list[str]:
        """Return the mail that came to an address, the newest last."""
        files = sorted(self.mail.glob("*.txt"), key=lambda file: file.stat().st_mtime_ns)
        return [text for text in (file.read_text() for file in files) if text.startswith(f"To: {to}\n")]

    def link(self, to: str) -> str:
        """Return the link in the newest mail to an address."""
        found = re.search(r"https?://\S+", self.letters(to)[-1])
        assert found, "The newest letter holds no link."
        return found.group()


@contextmanager
def served(folder: Path, **environment: str) -> Iterator[Console]:
    """Serve for the length of a `with` block, with `environment` added; log, data and mail lie in `folder`."""
    database = engine.start(folder / "console.db", say=False)
    told = {"AWS_ENDPOINT_URL": database.url, "LATCHKEY_MAIL_FOLDER": str(folder / "mail"), **environment}
    try:
        with subprocess_server.run_module("tests.browser.server", folder / "server.log", **told) as process:
            yield Console(subprocess_server.read_line(process)["url"], folder / "mail", process)
    finally:
        database.stop()
