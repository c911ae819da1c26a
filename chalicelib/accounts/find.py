"""Find accounts by id or by email address, and list them in pages."""

from collections.abc import Iterator

from chalicelib.accounts.create import LISTED
from chalicelib.accounts.email_address import claim_of, claim_prefix
from chalicelib.accounts.tables import Account, EmailClaim
from chalicelib.core import errors, ids
from chalicelib.core.dynamodb import models

NO_ACCOUNT = "acc_nobody"
"""An id that no account has. If no account has the requested email address, this id is read, so that the response time
doesn't reveal whether an account exists.
"""


def account_by_id(account_id: str) -> Account:
    """Return an account; raise NotFound when it doesn't exist or was deleted."""
    if ids.is_id(account_id, "acc"):
        account = Account.found(account_id)
        if account is not None and account.listed:
            return account
    raise errors.NotFound("There is no such user.")


def account_by_email(email: str) -> Account:
    """Return the account of an email address; raise NotFound when no account has it.

    Two items are read in either case, so that the response time doesn't reveal whether an account exists.
    """
    claim = EmailClaim.found(claim_of(email))
    account = Account.found(claim.account_id if claim is not None else NO_ACCOUNT)
    if account is None:
        raise errors.NotFound("No account has this email.")
    return account


def newest_accounts(limit: int, *, before: str = "") -> Iterator[Account]:
    """Yield up to `limit` accounts, newest first. If `before` is given, only accounts with a smaller id are yielded."""
    older = Account.id < before if before else None
    yield from Account.directory.query(LISTED, older, scan_index_forward=False, limit=limit)


def accounts_by_email(prefix: str, limit: int, *, after: str = "") -> Iterator[Account]:
    """Return up to `limit` accounts whose address begins with `prefix`, sorted by address.

    Only addresses that sort after `after` are returned. The accounts have only the attributes of the index: id, email,
    name, tier, status and creation time.
    """
    first_claim = claim_prefix(prefix)
    # DynamoDB rejects a range whose end is before its start, or whose bounds are too long for a key.
    first, last = max(first_claim, f"{after} " if after else ""), f"{first_claim}\U0010ffff"
    if first <= last and models.can_be_range_key(first) and models.can_be_range_key(last):
        yield from Account.by_email.query(LISTED, Account.email.between(first, last), limit=limit)


def accounts_after(account_id: str, limit: int | None) -> Iterator[Account]:
    """Yield up to `limit` accounts, oldest first. If `limit` is None, yield all.

    If `account_id` is given, only accounts with a greater id are yielded.
    """
    newer = Account.id > account_id if account_id else None
    yield from Account.directory.query(LISTED, newer, limit=limit)
