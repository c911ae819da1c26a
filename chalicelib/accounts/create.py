"""Create an account and the claim on its email address in one transaction.

Of two concurrent requests for the same address, exactly one succeeds.
"""

from collections.abc import Callable

from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import quota_inheritance
from chalicelib.accounts.email_address import parse
from chalicelib.accounts.tables import Account, EmailClaim
from chalicelib.core import clock, errors, ids
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.limits.tiers import Tier

LISTED = "listed"
TRIES = 3


def create_account(
    *,
    email: str,
    name: str,
    tier: Tier,
    admin: bool = False,
    password_hash: str | None = None,
    verified_at_ms: int | None = None,
    beside: Callable[[models.Transaction, Account], None] | None = None,
) -> Account:
    """Create and store an account, and return it.

    `verified_at_ms` is the time at which the email address was verified, or None. `beside` is a function that adds
    further writes to the transaction. Raises InvalidRequest if `email` is invalid, and Conflict if an account with this
    address exists or a condition of the further writes fails.
    """
    account = new_account(email=email, name=name, tier=tier, admin=admin, password_hash=password_hash)
    account.email_verified_at = verified_at_ms
    with models.raise_on_condition_failure(errors.Conflict("An account with this email exists.")):
        store(account, None if beside is None else lambda write: beside(write, account))
    return account


def new_account(*, email: str, name: str, tier: Tier, admin: bool = False, password_hash: str | None = None) -> Account:
    """Return a new account that isn't stored yet; raise InvalidRequest for an invalid `email`."""
    address = parse(email)
    return Account(
        id=ids.new("acc"),
        email=address.claim,
        typed_email=None if address.mailbox == address.claim else address.mailbox,
        name=name,
        tier=tier.name,
        admin=admin,
        created_at=clock.now_ms(),
        password_hash=password_hash,
        listed=LISTED,
    )


def store(account: Account, add_more: Callable[[models.Transaction], None] | None = None) -> None:
    """Store a new account, its email claim and the writes that `add_more` adds, in one transaction.

    Raises Conflict if an account with this address exists, and TransactWriteError if a condition of the added writes
    fails. Raises Unavailable if another account with this address was deleted during every try.
    """
    claim = EmailClaim(account.email, account_id=account.id)
    for _ in range(TRIES):
        predecessor = quota_inheritance.inherit(account)
        try:
            with models.transaction() as write:
                write.save(claim, condition=EmailClaim.email.does_not_exist())
                write.save(account, condition=Account.id.does_not_exist())
                predecessor.add_to(write)
                record.add_to(write, account.id, kinds.ACCOUNT_CREATED, {"tier": account.tier})
                if add_more is not None:
                    add_more(write)
        except TransactWriteError as error:
            if models.find_failed_write(error, claim) is not None:
                raise errors.Conflict("An account with this email exists.") from error
            # Either a condition of `add_more` failed, or DynamoDB itself failed.
            if models.find_failed_write(error, predecessor.item) is None:
                raise
            # Another account with this address was deleted after `inherit` read the predecessor, so try again.
        else:
            return
    raise errors.Unavailable
