"""Finding accounts: by id, by email, and page by page."""

from collections.abc import Iterator

from chalicelib.accounts.create import LISTED
from chalicelib.accounts.email_address import beginning, normalised
from chalicelib.accounts.tables import Account, Email
from chalicelib.core import errors, ids
from chalicelib.core.dynamodb import models

NOBODY = "acc_nobody"
"""The id that no account has: what is done for nobody, so that the time tells nothing, is done for this one."""


def account_by_id(account_id: str) -> Account:
    """Return an account; raise NotFound when there is none, or it was deleted."""
    if ids.is_id(account_id, "acc"):
        account = Account.found(account_id)
        if account is not None and account.listed:
            return account
    raise errors.NotFound("There is no such user.")


def account_by_email(email: str) -> Account:
    """Return the account that has claimed `email`; raise NotFound when none has.

    Two reads whether or not anyone has this address, so that it can't be told by the time they take.
    """
    claim = Email.found(normalised(email))
    account = Account.found(claim.account_id if claim is not None else NOBODY)
    if account is None:
        raise errors.NotFound("No account has this email.")
    return account


def newest_accounts(limit: int, *, before: str = "") -> Iterator[Account]:
    """Return up to `limit` accounts, newest first, from beyond the id `before` ("" for the first)."""
    older = Account.id < before if before else None
    yield from Account.directory.query(LISTED, older, scan_index_forward=False, limit=limit)


def accounts_by_email(prefix: str, limit: int, *, after: str = "") -> Iterator[Account]:
    """Return up to `limit` accounts whose address begins with `prefix`, by address, beyond the address `after`.

    Of each only what the index holds: id, email, name, tier, status and when it was made.
    """
    begins = beginning(prefix)
    # One range, from beyond `after` to the end of what begins so. DynamoDB refuses one whose end comes before its
    # beginning, or that no key can be in.
    first, last = max(begins, f"{after} " if after else ""), f"{begins}\U0010ffff"
    if first <= last and models.can_be_range_key(first) and models.can_be_range_key(last):
        yield from Account.by_email.query(LISTED, Account.email.between(first, last), limit=limit)


def accounts_after(account_id: str, limit: int | None) -> Iterator[Account]:
    """Return up to `limit` accounts (None: all), oldest first, from beyond the id `account_id` ("" for the first)."""
    beyond = Account.id > account_id if account_id else None
    yield from Account.directory.query(LISTED, beyond, limit=limit)
