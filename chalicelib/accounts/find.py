"""Find accounts and users by id or by email address, and list them in pages."""

from collections.abc import Iterator

from chalicelib.accounts.create import LISTED
from chalicelib.accounts.email_address import claim_of, claim_prefix
from chalicelib.accounts.tables import Account, EmailClaim, User
from chalicelib.core import errors, ids
from chalicelib.core.dynamodb import models

NO_USER = "usr_nobody"
"""An id that no user has. If no user has the requested email address, this id is read, so that the response time
doesn't reveal whether a user exists.
"""


def account_by_id(account_id: str) -> Account:
    """Return an account; raise NotFound when it doesn't exist or was deleted."""
    if ids.is_id(account_id, "acc"):
        account = Account.found(account_id)
        if account is not None and account.listed:
            return account
    raise errors.NotFound("There is no such account.")


def user_by_id(user_id: str) -> User:
    """Return a user; raise NotFound when the user doesn't exist or was deleted."""
    if ids.is_id(user_id, "usr"):
        user = User.found(user_id)
        if user is not None and user.listed:
            return user
    raise errors.NotFound("There is no such user.")


def user_by_email(email: str) -> User:
    """Return the user with an email address; raise NotFound when no user has it.

    Two items are read in either case, so that the response time doesn't reveal whether a user exists.
    """
    claim = EmailClaim.found(claim_of(email))
    user = User.found(claim.user_id if claim is not None else NO_USER)
    if user is None:
        raise errors.NotFound("No user has this email.")
    return user


def newest_accounts(limit: int, *, before: str = "") -> Iterator[Account]:
    """Yield up to `limit` accounts, newest first. If `before` is given, only accounts with a smaller id are yielded."""
    older = Account.id < before if before else None
    yield from Account.directory.query(LISTED, older, scan_index_forward=False, limit=limit)


def users_by_email(prefix: str, limit: int, *, after: str = "") -> Iterator[User]:
    """Return up to `limit` users whose address begins with `prefix`, sorted by address.

    Only addresses that sort after `after` are returned. The users have only the attributes of the index: id, email,
    name, status, creation time and accounts.
    """
    first_claim = claim_prefix(prefix)
    # DynamoDB rejects a range whose end is before its start, or whose bounds are too long for a key.
    first, last = max(first_claim, f"{after} " if after else ""), f"{first_claim}\U0010ffff"
    if first <= last and models.can_be_range_key(first) and models.can_be_range_key(last):
        yield from User.by_email.query(LISTED, User.email.between(first, last), limit=limit)


def accounts_after(account_id: str, limit: int | None) -> Iterator[Account]:
    """Yield up to `limit` accounts, oldest first. If `limit` is None, yield all.

    If `account_id` is given, only accounts with a greater id are yielded.
    """
    newer = Account.id > account_id if account_id else None
    yield from Account.directory.query(LISTED, newer, limit=limit)


def users_after(user_id: str, limit: int | None) -> Iterator[User]:
    """Yield up to `limit` users, oldest first. If `limit` is None, yield all.

    If `user_id` is given, only users with a greater id are yielded.
    """
    newer = User.id > user_id if user_id else None
    yield from User.directory.query(LISTED, newer, limit=limit)
