"""A complete Latchkey in a separate process with the real clock, as `make run` serves it. Run it as a module.

It prints its URL and the key of an administrator, and ends when its standard input is closed.
"""

import json
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

from app import app
from chalicelib.accounts.create import create_account
from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import scopes
from chalicelib.credentials.issue import new_key, store_key
from chalicelib.limits import tiers
from infra import background, chalice_cli, data, server
from tests.support.threaded_server import ENGINE_TIMEOUT_S


class Server(server.Server):
    """The local server without output, because standard output is used for its URL."""

    def serve_forever(self, poll_interval: float = 0.05) -> None:
        """Serve requests with a short poll interval."""
        ThreadingHTTPServer.serve_forever(self, poll_interval)

    def report(self, _method: str, _path: str, _status: int, _took_ns: int) -> None:
        """Print nothing."""


def main() -> None:
    """Serve until standard input is closed."""
    dynamodb.READ_TIMEOUT_S = ENGINE_TIMEOUT_S
    served = Server(app, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{served.server_port}"
    chalice_cli.prepare_environment(url)
    with Path(sys.argv[1]).open("a", buffering=1) as log:
        telemetry.write_to(log)
        data.create_missing_tables()
        threading.Thread(target=served.serve_forever, daemon=True).start()
        background.start()
        print(json.dumps({"url": url, "admin_key": _admin_key()}), flush=True)
        sys.stdin.read()


def _admin_key() -> str:
    admin = create_account(
        email="root@example.com", name="Root", tier=tiers.FREE, admin=True, verified_at_ms=clock.now_ms()
    )
    issued = new_key(
        admin.account.id, admin.user.id, name="Root", wanted=list(scopes.ALL), expires_at=None, made_by=None
    )
    store_key(issued)
    return issued.secret


if __name__ == "__main__":
    main()
