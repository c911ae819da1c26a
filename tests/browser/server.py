"""Latchkey with its console in a separate process for browser tests. Run it as a module.

It prints its URL, then responds to each JSON line on standard input with one on standard output: new accounts,
sessions, keys, demo data. Its clock advances only a little with each request, so that no hour ends and no burst is used
up during a test. It stops at the end of standard input.
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
from chalicelib.accounts import change, invitations, members, passwords, roles, self_service, sessions, states
from chalicelib.accounts.create import create_account
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.tables import Account, User
from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials.issue import new_key, store_key
from chalicelib.detection import leak_policy, leaks
from chalicelib.limits import counter_items, tiers
from infra import chalice_cli, data, server
from infra.local_gateway import gateway as local_gateway
from infra.local_gateway.response import Response
from tests.browser import demo
from tests.support.harness import Clock
from tests.support.threaded_server import ENGINE_TIMEOUT_S

HOST = "127.0.0.1"
AFTERNOON_MS = 1_778_163_720_000
"""2026-05-07T14:22:00Z, a Thursday."""
REQUEST_TAKES_S = 0.025
"""The time that each request takes: 40 requests a second, fewer than the burst limit of an anonymous caller."""


@dataclass
class Gateway(local_gateway.Gateway):
    """The local gateway with a clock that advances with each request."""

    clock: Clock = field(default_factory=lambda: Clock(AFTERNOON_MS))

    def handle(self, *request: Any, **more: Any) -> Response:
        """Advance the clock and handle the request."""
        self.clock.forward(REQUEST_TAKES_S)
        return super().handle(*request, **more)


class Server(server.Server):
    """The local server without output, because standard output is for responses to commands."""

    gateway: Gateway

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(app, HOST, 0)
        self.url = f"http://{HOST}:{self.server_port}"
        self.gateway = Gateway(app, domain=f"{HOST}:{self.server_port}")

    def serve_forever(self, poll_interval: float = 0.05) -> None:
        """Serve requests."""
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
        _say({"url": served.url})
        for line in sys.stdin:
            command = json.loads(line)
            _say(COMMANDS[command.pop("do")](served.gateway.clock, **command))


def _account(
    moved: Clock, email: str, name: str, password: str | None, tier: str, admin: bool, verified: bool
) -> dict[str, Any]:
    new = create_account(
        email=email,
        name=name,
        tier=tiers.BY_NAME[tier],
        admin=admin,
        password_hash=None if password is None else passwords.hash_password(password),
        verified_at_ms=clock.now_ms() if verified else None,
    )
    return {"id": new.account.id, "user_id": new.user.id}


def _member(moved: Clock, account_id: str, user_id: str, role: str) -> dict[str, Any]:
    with models.transaction() as write:
        members.add_to(write, members.new(account_id, user_id, role), User.get(user_id))
    return {}


def _suspend(moved: Clock, account_id: str) -> dict[str, Any]:
    change.set_tier_and_status(account_id, tier=None, status=states.SUSPENDED, actor="operator")
    return {}


def _delete_account(moved: Clock, account_id: str, user_id: str, password: str) -> dict[str, Any]:
    owner = members.find(User.get(user_id), account_id)
    self_service.delete_account(owner, caller=Caller((HOST,)), password=password)
    return {}


def _session(moved: Clock, user_id: str) -> dict[str, Any]:
    return {"session": sessions.open_session(User.get(user_id))}


def _key(moved: Clock, account_id: str, name: str, scopes: list[str]) -> dict[str, Any]:
    issued = new_key(
        account_id, Account.get(account_id).created_by, name=name, wanted=scopes, expires_at=None, made_by=None
    )
    store_key(issued)
    return {"id": issued.key.id, "secret": issued.secret}


def _invite(moved: Clock, account_id: str, email: str) -> dict[str, Any]:
    manager = members.find(User.get(Account.get(account_id).created_by), account_id).manager
    url = settings.current().public_url
    made = invitations.invite(manager, email=email, role=roles.DEVELOPER, networks=("n1",), base_url=url)
    return {"link": f"{url}/invitation?ticket={made.link}"}


def _unusual(moved: Clock, account_id: str, key_id: str, why: str) -> dict[str, Any]:
    return {"done": leak_policy.act(account_id, key_id, why=why)}


def _leaked(moved: Clock, secret: str) -> dict[str, Any]:
    leaks.follow_up([leaks.Alert(secret, "key", public=False)])
    return {}


def _demo(moved: Clock, account_id: str) -> dict[str, Any]:
    demo.add_checks()
    return {"keys": demo.add_history(account_id, moved)}


def _crowd(moved: Clock) -> dict[str, Any]:
    """Use up this second's burst of anonymous callers."""
    moved.now_ms += -moved.now_ms % 1000
    window = counter_items.window_at(f"ip_{HOST}", tiers.ANONYMOUS, moved.now_ms)
    request = {
        "TableName": settings.current().table(counter_items.TABLE),
        "Key": counter_items.item_key(window.subject, window.tier, window.hour),
        "UpdateExpression": f"SET {window.slot} = :burst",
        "ExpressionAttributeValues": {":burst": {"N": str(window.tier.burst)}},
    }
    dynamodb.call("UpdateItem", request)
    return {}


def _forward(moved: Clock, seconds: float) -> dict[str, Any]:
    moved.forward(seconds)
    return {}


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    "account": _account,
    "member": _member,
    "suspend": _suspend,
    "delete_account": _delete_account,
    "session": _session,
    "key": _key,
    "invite": _invite,
    "unusual": _unusual,
    "leaked": _leaked,
    "demo": _demo,
    "crowd": _crowd,
    "forward": _forward,
}


def _say(response: dict[str, Any]) -> None:
    print(json.dumps(response), flush=True)


if __name__ == "__main__":
    main()
