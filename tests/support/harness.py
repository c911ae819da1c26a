"""The harness: a complete Latchkey in one process, with accounts, keys, the local gateway and a test clock.

Only tests move the clock, so results don't depend on how busy the machine is.
"""

import atexit
import base64
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from app import app
from chalicelib.accounts import members, roles
from chalicelib.accounts.create import create_account
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import clock, process_cache, randomness, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials.issue import Issued, new_key, store_key
from chalicelib.limits import counter_items, tiers
from infra.local_gateway.gateway import Gateway
from infra.local_gateway.response import Response
from tests.support import conformance

START_MS = 1_639_994_400_000
"""The start time of the test clock, 2021-12-20T10:00:00Z."""


@dataclass
class Clock:
    """A test clock, which only tests move."""

    now_ms: int = START_MS

    def __call__(self) -> int:
        return self.now_ms

    def forward(self, seconds: float) -> None:
        """Advance the clock."""
        self.now_ms += round(seconds * 1000)


@dataclass(frozen=True)
class AccountOfTest:
    """An account with the user whom a test acts as: by default its owner."""

    membership: Membership

    @property
    def account(self) -> Account:
        return self.membership.account

    @property
    def user(self) -> User:
        return self.membership.user

    @property
    def id(self) -> str:
        """The id of the account."""
        return self.account.id

    @property
    def user_id(self) -> str:
        return self.user.id

    @property
    def email(self) -> str:
        return self.user.email

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def role(self) -> str:
        return self.membership.role

    @property
    def tier(self) -> str:
        return self.account.tier

    def reload(self) -> "AccountOfTest":
        """Return the account and the user as they are stored now."""
        return AccountOfTest(members.find(User.get(self.user_id), self.id))


@dataclass
class TestApp:
    """The app under test. `secrets` collects every issued secret, so that tests can search for leaks."""

    __test__ = False  # pytest must not collect it as a test class.

    clock: Clock
    gateway: Gateway = field(default_factory=lambda: Gateway(app, domain="api.example.com"))
    secrets: list[str] = field(default_factory=list, repr=False)

    def account(
        self, tier: tiers.Tier = tiers.FREE, *, email: str = "", name: str = "Ada", admin: bool = False
    ) -> AccountOfTest:
        """Create an account whose owner has a verified address."""
        email = email or f"{name.lower()}.{randomness.base62(6).lower()}@example.com"
        return AccountOfTest(
            create_account(email=email, name=name, tier=tier, admin=admin, verified_at_ms=clock.now_ms())
        )

    def member(self, of: AccountOfTest, role: str, *, name: str = "Grace") -> AccountOfTest:
        """Create a user with an account of their own, and add them to another account with a role."""
        user = self.account(name=name).user
        member = members.new(of.id, user.id, role, invited_by=of.user_id)
        with models.transaction() as write:
            members.add_to(write, member, user)
        return AccountOfTest(members.find(User.get(user.id), of.id))

    def service(self, of: AccountOfTest) -> AccountOfTest:
        """Return an account with its service user."""
        user = User(id=roles.service_user_of(of.id), email="", name="", created_at=0)
        return AccountOfTest(Membership(of.account, user, Member(of.id, user.id, role=roles.ADMIN, since=0)))

    def key(self, account: AccountOfTest, *scopes: str, expires_in_s: int | None = None) -> Issued:
        """Create a key with the scopes read, write and keys by default."""
        issued = new_key(
            account.id,
            account.user_id,
            name="Test key",
            wanted=list(scopes) or ["read", "write", "keys"],
            expires_at=None if expires_in_s is None else clock.now_ms() + expires_in_s * 1000,
            made_by=None,
        )
        store_key(issued)
        self.secrets.append(issued.secret)
        return issued

    def call(
        self,
        method: str,
        target: str,
        secret: str | None = None,
        *,
        json_body: object = None,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        ip: str = "203.0.113.7",
    ) -> Response:
        """Send one request through the gateway."""
        sent = dict(headers or {})
        if secret is not None:
            sent["Authorization"] = f"Bearer {secret}"
        if json_body is not None:
            body = json.dumps(json_body).encode()
        if body:
            sent.setdefault("Content-Type", "application/json")
        response = self.gateway.handle(method, target, sent.items(), body, ip=ip)
        conformance.check(self.gateway, method, target, response)
        self._collect_secrets(response)
        return response

    def set_counters(self, subject: str, tier: tiers.Tier, **counters: int) -> None:
        """Set counters of the current hour; `burst` sets the counter of the current second."""
        window = counter_items.window_at(subject, tier, clock.now_ms())
        named = {window.slot if name == "burst" else name: count for name, count in counters.items()}
        dynamodb.call(
            "UpdateItem",
            {
                "TableName": settings.current().table(counter_items.TABLE),
                "Key": counter_items.item_key(subject, tier, window.hour),
                "UpdateExpression": "SET " + ", ".join(f"{name} = :{name}" for name in named),
                "ExpressionAttributeValues": {f":{name}": {"N": str(count)} for name, count in named.items()},
            },
        )

    def counters(self, subject: str, tier: tiers.Tier = tiers.FREE) -> dict[str, int]:
        """Return the counters and timestamps of the current hour's item."""
        hour = clock.hour_of(clock.now_s())
        request = {
            "TableName": settings.current().table(counter_items.TABLE),
            "Key": counter_items.item_key(subject, tier, hour),
            "ConsistentRead": True,
        }
        item = dynamodb.call("GetItem", request).get("Item", {})
        return {name: int(value["N"]) for name, value in item.items() if "N" in value and name != "hour"}

    def forget(self) -> None:
        """Clear the caches of this process, as after a cold start; the gateway's cache is kept."""
        process_cache.forget()

    def _collect_secrets(self, response: Response) -> None:
        if response.status == 201:
            made: dict[str, Any] = response.json()
            self.secrets.extend(made[name] for name in ("secret",) if name in made)
            self.secrets.extend(made["set_password_url"].partition("=")[2:] if "set_password_url" in made else ())


def error_of(response: Response) -> tuple[int, str]:
    """Return the status and the `error` of an error response."""
    return response.status, response.json()["error"]


@lru_cache(maxsize=1)
def stage_key_file() -> str:
    """Return the path of a file with a root key."""
    with NamedTemporaryFile("w", prefix="latchkey-test-key-", delete=False) as file:
        file.write(base64.b64encode(bytes(range(32))).decode())
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name


@contextmanager
def run_app(**chosen: Any) -> Iterator[TestApp]:
    """Run an app on the DynamoDB of the environment, with a test clock and fixed randomness."""
    test_clock = Clock()
    dice = random.Random(20211220)  # noqa: S311 - fixed on purpose
    fixed = {"stage": "test", "public_url": "https://api.example.com", "stage_key_file": stage_key_file()} | chosen
    with ExitStack() as stack:
        stack.enter_context(settings.override(settings.Settings(**fixed)))
        stack.enter_context(clock.use_wall_clock(test_clock))
        stack.enter_context(clock.use_monotonic_clock(lambda: 0))
        stack.enter_context(randomness.use_generator(dice.randrange))
        telemetry.write_to(None)
        process_cache.forget()
        yield TestApp(test_clock)
