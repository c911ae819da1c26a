"""The demo accounts of a local run: one a tier, added once, so that every curl line has someone to be."""

from dataclasses import dataclass

from chalicelib.accounts import find
from chalicelib.accounts.create import create_account
from chalicelib.accounts.passwords import hashed
from chalicelib.core import clock, errors
from chalicelib.credentials import scopes
from chalicelib.credentials.issue import new_key, put_beside_the_others
from chalicelib.limits import tiers

SCOPES = [scopes.READ, scopes.WRITE, scopes.KEYS]


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo account as a person sees it; `secret` is there only when its key was made just now."""

    tier: tiers.Tier
    email: str
    password: str
    secret: str | None


def add_demo_accounts() -> list[Demo]:
    """Return the demo accounts, made where they were missing."""
    return [_demo(tier) for tier in tiers.OF_ACCOUNTS]


def _demo(tier: tiers.Tier) -> Demo:
    email, password = f"{tier.name}@example.com", f"only-a-{tier.name}-demo"
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
