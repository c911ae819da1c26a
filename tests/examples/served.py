"""Start the server of `server.py` with its own DynamoDB emulator, and request keys from the server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from chalicelib.credentials import scopes
from infra import engine
from tests.support import subprocess_server

ORDINARY = (scopes.READ, scopes.WRITE, scopes.KEYS)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, with the id of its account, and the id and email of its user."""

    secret: str
    id: str
    account_id: str
    user_id: str
    email: str


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    url: str
    process: subprocess_server.Program

    def key(self, *scopes: str, tier: str = "free", admin: bool = False, expires_in_s: int | None = None) -> Key:
        """Return a key of a new account, by default with the scopes read, write and keys."""
        wanted = list(scopes or ORDINARY)
        return Key(
            **subprocess_server.send_command(
                self.process, do="key", tier=tier, scopes=wanted, admin=admin, expires_in_s=expires_in_s
            )
        )

    def key_without_quota(self) -> Key:
        """Return a key of a new Free account that has used up its hourly quota."""
        return self._spent("quota")

    def key_without_burst(self) -> Key:
        """Return a key of a new Free account that has used up the burst of this second."""
        return self._spent("burst")

    def _spent(self, limit: str) -> Key:
        key = self.key()
        subprocess_server.send_command(self.process, do="spend", account_id=key.account_id, limit=limit)
        return key

    def demo_secret(self, email: str) -> str:
        """Create the demo accounts, and return the key of the account with this email."""
        return str(subprocess_server.send_command(self.process, do="demo")[email])

    def call(self, method: str, path: str, key: Key | str | None, **sent: Any) -> requests.Response:
        """Send a request by `requests` with a key, with an invalid key, or without a key."""
        secret = key.secret if isinstance(key, Key) else key
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return requests.request(method, self.url + path, headers=headers, timeout=60, **sent)

    def get(self, key: Key | str, path: str) -> Any:
        """Return the body of a successful response to a GET."""
        response = self.call("GET", path, key)
        response.raise_for_status()
        return response.json()

    def environment(self, key: Key | str) -> dict[str, str]:
        """Return the environment of an example: API_KEY, BASE_URL and the current variables."""
        secret = key if isinstance(key, str) else key.secret
        return {**os.environ, "API_KEY": secret, "BASE_URL": self.url}


@contextmanager
def served(folder: Path, **environment: str) -> Iterator[Served]:
    """Run the server within a `with` block, with `environment` added; its log is in `folder`."""
    database = engine.start(None, say=False)
    told = {"AWS_ENDPOINT_URL": database.url, **environment}
    try:
        with subprocess_server.run_module("tests.examples.server", folder / "server.log", **told) as process:
            yield Served(subprocess_server.read_line(process)["url"], process)
    finally:
        database.stop()
