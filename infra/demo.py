"""Create the demo accounts of a local run: one for each tier, an administrator, and an OAuth application.

The examples with curl use these accounts and their keys. Later runs keep the accounts of the first run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.accounts import find
from chalicelib.accounts.create import create_account
from chalicelib.accounts.passwords import hash_password
from chalicelib.core import clock, errors
from chalicelib.credentials import scopes
from chalicelib.credentials.issue import new_key, store_key
from chalicelib.limits import tiers
from chalicelib.oauth import clients

OWNER = tiers.PRO
"""The tier of the demo account that owns the demo application."""
ADMIN = "admin"
REDIRECT_URI = "http://127.0.0.1:8765/callback"
SCOPES = scopes.ORDINARY


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo account. `label` is its tier or `admin`; `secret` is its key, None if an earlier run created the key."""

    label: str
    email: str
    password: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class DemoClient:
    """The demo application. `secret` is None if an earlier run created the application."""

    client_id: str
    redirect_uri: str
    secret: str | None


def log_in_of(label: str) -> tuple[str, str]:
    """Return the email address and the password of a demo account."""
    return f"{label}@example.com", f"only-a-{label}-demo"


def add_demo_accounts() -> list[Demo]:
    """Create missing demo accounts, and return all of them."""
    of_tiers = [_demo(tier.name, tier, SCOPES) for tier in tiers.OF_ACCOUNTS]
    return [*of_tiers, _demo(ADMIN, tiers.FREE, scopes.ALL)]


def add_demo_client() -> DemoClient:
    """Return the first application of the demo account; create it if there is none."""
    owner = find.account_by_email(log_in_of(OWNER.name)[0])
    first = next(iter(clients.list_of_account(owner.id)), None)
    if first is not None:
        return DemoClient(first.client_id, ", ".join(first.redirect_uris), None)
    made = clients.register(
        name="Demo application",
        uris=[REDIRECT_URI],
        auth_method="client_secret_post",
        grant_types=set(clients.GRANT_TYPES),
        wanted=set(clients.GRANTABLE),
        registered_by="account",
        account_id=owner.id,
    )
    return DemoClient(made.client.client_id, REDIRECT_URI, made.secret)


def _demo(label: str, tier: tiers.Tier, wanted: Sequence[str]) -> Demo:
    email, password = log_in_of(label)
    try:
        account = find.account_by_email(email)
    except errors.NotFound:
        account = create_account(
            email=email,
            name=f"{label.title()} Demo",
            tier=tier,
            admin=label == ADMIN,
            password_hash=hash_password(password),
            verified_at_ms=clock.now_ms(),
        )
    if account.live_keys.attribute_values:
        return Demo(label, email, password, None)
    issued = new_key(account.id, name="Demo key", wanted=list(wanted), expires_at=None, made_by=None)
    store_key(issued)
    return Demo(label, email, password, issued.secret)
