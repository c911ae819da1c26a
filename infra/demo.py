"""The demo accounts of a local run, one a tier, and an OAuth application of one of them: added once, so that every curl
line has someone to be.
"""

from dataclasses import dataclass

from chalicelib.accounts import find
from chalicelib.accounts.create import create_account
from chalicelib.accounts.passwords import hashed
from chalicelib.core import clock, errors
from chalicelib.credentials import scopes
from chalicelib.credentials.issue import new_key, put_beside_the_others
from chalicelib.limits import tiers
from chalicelib.oauth import clients

OWNER = tiers.PRO
"""Whose account the demo application belongs to."""
REDIRECT_URI = "http://127.0.0.1:8765/callback"
SCOPES = [scopes.READ, scopes.WRITE, scopes.KEYS]


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo account as a person sees it; `secret` is there only when its key was made just now."""

    tier: tiers.Tier
    email: str
    password: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class DemoClient:
    """The demo application; `secret` is there only when it was made just now."""

    client_id: str
    redirect_uri: str
    secret: str | None


def log_in_of(tier: tiers.Tier) -> tuple[str, str]:
    """Return email and password of a demo account."""
    return f"{tier.name}@example.com", f"only-a-{tier.name}-demo"


def add_demo_accounts() -> list[Demo]:
    """Return the demo accounts, made where they were missing."""
    return [_demo(tier) for tier in tiers.OF_ACCOUNTS]


def add_demo_client() -> DemoClient:
    """Return the first application of the owner, made if there was none."""
    owner = find.account_by_email(log_in_of(OWNER)[0])
    first = next(iter(clients.owned_by(owner.id)), None)
    if first is not None:
        return DemoClient(first.client_id, ", ".join(first.redirect_uris), None)
    made = clients.register(
        name="Demo application",
        uris=[REDIRECT_URI],
        auth_method="client_secret_post",
        grant_types=set(clients.GRANT_TYPES),
        wanted=set(clients.GRANTABLE),
        registered_by="account",
        owner_id=owner.id,
    )
    return DemoClient(made.client.client_id, REDIRECT_URI, made.secret)


def _demo(tier: tiers.Tier) -> Demo:
    email, password = log_in_of(tier)
    try:
        account = find.account_by_email(email)
    except errors.NotFound:
        account = create_account(
            email=email,
            name=f"{tier.name.title()} Demo",
            tier=tier,
            password_hash=hashed(password),
            verified_at_ms=clock.now_ms(),
        )
    if account.live_keys.attribute_values:
        return Demo(tier, email, password, None)
    issued = new_key(account.id, name="Demo key", wanted=SCOPES, expires_at=None, made_by=None)
    put_beside_the_others(issued)
    return Demo(tier, email, password, issued.secret)
