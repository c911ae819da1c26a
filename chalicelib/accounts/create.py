"""A new account and its claim on an email: one transaction, so that of two claims at once exactly one stands."""

from collections.abc import Callable

from chalicelib.accounts.email import normalised
from chalicelib.accounts.tables import Account, Email
from chalicelib.core import clock, errors, ids, tables
from chalicelib.events import kinds, record
from chalicelib.limits.tiers import Tier

LISTED = "listed"


def create_account(
    *,
    email: str,
    name: str,
    tier: Tier,
    admin: bool = False,
    password_hash: str | None = None,
    verified_at_ms: int | None = None,
    beside: Callable[[tables.Transaction, Account], None] | None = None,
) -> Account:
    """Return a new, stored account; `verified_at_ms` is when its address was proven, if it was.

    `beside` adds to the transaction what is to stand beside it.
    Raises InvalidRequest when `email` is no address, Conflict when an account has it.
    """
    account = Account(
        id=ids.new("acc"),
        email=normalised(email),
        name=name,
        tier=tier.name,
        admin=admin,
        created_at=clock.now_ms(),
        password_hash=password_hash,
        email_verified_at=verified_at_ms,
        listed=LISTED,
    )
    taken = errors.Conflict("An account with this email exists.")
    with tables.refused_as(taken), tables.transaction() as write:
        write.save(Email(account.email, account_id=account.id), condition=Email.email.does_not_exist())
        write.save(account, condition=Account.id.does_not_exist())
        record.add_to(write, account.id, kinds.ACCOUNT_CREATED, {"tier": tier.name})
        if beside is not None:
            beside(write, account)
    return account
