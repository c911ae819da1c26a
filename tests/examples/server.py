"""Latchkey in a separate process, for programs that connect to it.

Run it as a module. It prints its URL, then responds to each JSON line on standard input with a line on standard output:
new keys, used-up limits, demo accounts. Its clock advances by one second after each 429, so that a client that waits
succeeds, and at no other time within a program. It stops at the end of standard input.
"""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from app import app
from chalicelib.accounts.create import create_account
from chalicelib.core import clock, randomness, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.issue import new_key, store_key
from chalicelib.limits import counter_items, tiers
from infra import chalice_cli, data, demo, server
from infra.local_gateway import gateway as local_gateway
from infra.local_gateway.response import Response
from tests.support.harness import Clock
from tests.support.threaded_server import ENGINE_TIMEOUT_S

HOST = "127.0.0.1"


@dataclass
class Gateway(local_gateway.Gateway):
    """The local gateway with a clock that each 429 advances."""

    clock: Clock = field(default_factory=Clock)

    def handle(self, *request: Any, **more: Any) -> Response:
        """Handle the request, and advance the clock by a second if the response is a 429."""
        response = super().handle(*request, **more)
        if response.status == 429:
            self.clock.forward(1)
        return response

    def strike_the_hour(self) -> None:
        """Advance the clock to the next full hour."""
        self.clock.forward(-(self.clock.now_ms // 1000) % clock.HOUR_S)


class Server(server.Server):
    """The local server without output, because standard output is for responses to commands."""

    gateway: Gateway

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(app, HOST, 0)
        self.url = f"http://{HOST}:{self.server_port}"
        self.gateway = Gateway(app, domain=f"{HOST}:{self.server_port}")

    def serve_forever(self, poll_interval: float = 0.05) -> None:
        """Serve."""
        ThreadingHTTPServer.serve_forever(self, poll_interval)

    def report(self, _method: str, _path: str, _status: int, _took_ns: int) -> None:
        """Print nothing."""


def main() -> None:
    """Serve until standard input ends."""
    dynamodb.READ_TIMEOUT_S = ENGINE_TIMEOUT_S
    served = Server()
    chalice_cli.prepare_environment(served.url)
    with clock.use_wall_clock(served.gateway.clock), Path(sys.argv[1]).open("a", buffering=1) as log:
        telemetry.write_to(log)
        data.create_missing_tables()
        threading.Thread(target=served.serve_forever, daemon=True).start()
        _respond({"url": served.url})
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "key":
                served.gateway.strike_the_hour()
            _respond(COMMANDS[command.pop("do")](**command))


def _key(tier: str, scopes: list[str], admin: bool, expires_in_s: int | None) -> dict[str, Any]:
    new = create_account(
        email=f"{randomness.base62(10)}@example.com", name="Ada", tier=tiers.BY_NAME[tier], admin=admin
    )
    expires_at = None if expires_in_s is None else clock.now_ms() + expires_in_s * 1000
    account_id, user_id = new.account.id, new.user.id
    issued = new_key(account_id, user_id, name="Test key", wanted=scopes, expires_at=expires_at, made_by=None)
    store_key(issued)
    of_key = {"secret": issued.secret, "id": issued.key.id, "account_id": account_id, "user_id": user_id}
    return of_key | {"email": new.user.email}


def _spend(account_id: str, limit: str) -> dict[str, Any]:
    """Set a counter of a Free account to its limit, in one write instead of fifty or a thousand requests."""
    window = counter_items.window_at(account_id, tiers.FREE, clock.now_ms())
    name, most = {"quota": ("used", tiers.FREE.quota), "burst": (window.slot, tiers.FREE.burst)}[limit]
    dynamodb.call(
        "UpdateItem",
        {
            "TableName": settings.current().table(counter_items.TABLE),
            "Key": counter_items.item_key(account_id, tiers.FREE, window.hour),
            "UpdateExpression": f"SET {name} = :most",
            "ExpressionAttributeValues": {":most": {"N": str(most)}},
        },
    )
    return {}


def _demo() -> dict[str, Any]:
    """Create the demo accounts of `make run`; return their keys by email."""
    return {shown.email: shown.secret for shown in demo.add_demo_accounts()}


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {"key": _key, "spend": _spend, "demo": _demo}


def _respond(reply: dict[str, Any]) -> None:
    print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
