"""Invalidate the cached authorizations of an account, or of all accounts of a user, after a change was committed.

The counters of an account are kept by tier. API Gateway caches a policy for 300 s, so only an account whose tier
changed within the last ten minutes can have cached authorizations of several tiers.
"""

from collections.abc import Iterable

from pynamodb.exceptions import PynamoDBException

from chalicelib.accounts.tables import Account, User
from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.limits import stale_marks
from chalicelib.limits.tiers import BY_NAME, OF_ACCOUNTS, Tier

TIER_KEPT_MS = 600_000
"""How long after a change of tier the counter items of every tier get marks."""


def mark_account(account_id: str) -> bool:
    """Set the invalidation marks of an account. Returns False if a mark couldn't be set. Idempotent."""
    try:
        account = Account.found(account_id)
    except (DynamoDBError, PynamoDBException):
        # `stale_marks.mark` reports the failure, if the database still fails.
        account = None
    return stale_marks.mark(account_id, OF_ACCOUNTS if account is None else recent_tiers(account))


def mark_accounts(account_ids: Iterable[str]) -> bool:
    """Set the invalidation marks of several accounts. Returns False if a mark couldn't be set."""
    # Set the marks of all accounts before the results are checked. If the loop stopped at the first failure, the
    # remaining accounts wouldn't be marked.
    return False not in {mark_account(account_id) for account_id in sorted(account_ids)}


def mark_user(user_id: str) -> bool:
    """Set the invalidation marks of all accounts of a user (at most 50). Returns False if a mark couldn't be set."""
    try:
        user = User.found(user_id)
    except (DynamoDBError, PynamoDBException):
        telemetry.error("stale_mark_lost", subject=user_id)
        telemetry.count("StaleMarkLost")
        return False
    return user is None or mark_accounts(user.account_ids or ())


def mark(subject_id: str) -> bool:
    """Set the invalidation marks of an account, or of all accounts of a user. Returns False if one couldn't be set."""
    return mark_user(subject_id) if subject_id.startswith("usr_") else mark_account(subject_id)


def is_marked(subject_id: str, since_ms: int) -> bool:
    """Return whether the accounts of `subject_id`, an account or a user, have marks for a change at `since_ms`."""
    if subject_id.startswith("usr_"):
        user = User.found(subject_id)
        return all(is_marked(account_id, since_ms) for account_id in ((user and user.account_ids) or ()))
    account = Account.found(subject_id)
    return stale_marks.is_marked(subject_id, OF_ACCOUNTS if account is None else recent_tiers(account), since_ms)


def recent_tiers(account: Account) -> tuple[Tier, ...]:
    """Return the tiers that an account may have had within the last ten minutes: one, unless it changed."""
    changed_at = account.tier_changed_at
    if changed_at is not None and clock.now_ms() - changed_at < TIER_KEPT_MS:
        return OF_ACCOUNTS
    return (BY_NAME[account.tier],)
