"""Create the demo accounts of a local run: one for each tier, and an administrator's. The Pro account has a second
member, a developer, and an OAuth application.

The examples with curl use these accounts and their keys. Later runs keep the accounts of the first run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.accounts import find, members, roles
from chalicelib.accounts.create import create_account
from chalicelib.accounts.members import Membership
from chalicelib.accounts.passwords import hash_password
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials import find as find_keys
from chalicelib.credentials import scopes
from chalicelib.credentials.issue import new_key, store_key
from chalicelib.events import kinds, record
from chalicelib.limits import tiers
from chalicelib.oauth import clients

OWNER = tiers.PRO
"""The tier of the demo account that owns the demo application and has a second member."""
ADMIN, DEVELOPER = "admin", "developer"
REDIRECT_URI = "http://127.0.0.1:8765/callback"
SCOPES = scopes.ORDINARY


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo user. `label` is the tier of the user's account, `admin` or `developer`; `secret` is a key of the account,
    None if an earlier run created the key.
    """

    label: str
    email: str
    password: str
    secret: str | None
    account_id: str


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
    """Create missing demo accounts and users, and return all of them."""
    of_tiers = [_demo(tier.name, tier, SCOPES) for tier in tiers.OF_ACCOUNTS]
    return [*of_tiers, _demo(ADMIN, tiers.FREE, scopes.ALL), _developer()]


def add_demo_client() -> DemoClient:
    """Return the first application of the demo account; create it if there is none."""
    owner_id = _owner().account.id
    first = next(iter(clients.list_of_account(owner_id)), None)
    if first is not None:
        return DemoClient(first.client_id, ", ".join(first.redirect_uris), None)
    made = clients.register(
        name="Demo application",
        uris=[REDIRECT_URI],
        auth_method="client_secret_post",
        grant_types=set(clients.GRANT_TYPES),
        wanted=set(clients.GRANTABLE),
        registered_by="account",
        account_id=owner_id,
    )
    return DemoClient(made.client.client_id, REDIRECT_URI, made.secret)


def _demo(label: str, tier: tiers.Tier, wanted: Sequence[str]) -> Demo:
    return _with_key(label, _user(label, tier), wanted)


def _developer() -> Demo:
    """Return the second member of the Pro account, who also has an account of their own."""
    own, account = _user(DEVELOPER, tiers.FREE), _owner().account
    if account.id not in (own.user.account_ids or ()):
        with models.transaction() as write:
            members.add_to(write, members.new(account.id, own.user.id, roles.DEVELOPER), own.user)
            record.add_to(write, account.id, kinds.MEMBER_JOINED, {"user": own.user.id, "role": roles.DEVELOPER})
    joined = members.find(find.user_by_id(own.user.id), account.id)
    return _with_key(DEVELOPER, joined, scopes.in_order(scopes.OF_ROLE[roles.DEVELOPER]))


def _user(label: str, tier: tiers.Tier) -> Membership:
    """Return a demo user in the user's own account; create both if they don't exist."""
    email, password = log_in_of(label)
    try:
        return members.all_of(find.user_by_email(email))[0]
    except errors.NotFound:
        return create_account(
            email=email,
            name=f"{label.title()} Demo",
            tier=tier,
            admin=label == ADMIN,
            password_hash=hash_password(password),
            verified_at_ms=clock.now_ms(),
        )


def _owner() -> Membership:
    return _user(OWNER.name, OWNER)


def _with_key(label: str, demo: Membership, wanted: Sequence[str]) -> Demo:
    """Return the demo user with a new key or, if the user has one in this account, without a secret."""
    account_id, user_id = demo.account.id, demo.user.id
    secret = None
    if not any(key.user_id == user_id and key.is_live() for key in find_keys.keys_of(account_id)):
        issued = new_key(account_id, user_id, name="Demo key", wanted=list(wanted), expires_at=None, made_by=None)
        store_key(issued)
        secret = issued.secret
    return Demo(label, *log_in_of(label), secret, account_id)
