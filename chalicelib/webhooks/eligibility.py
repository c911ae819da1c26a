"""Decide whether webhooks may be sent for an account, and to which of its endpoints.

An endpoint that was created before the account's email address was first verified receives nothing and is deleted,
because someone else may have signed up with that address and created it. If email is enabled, endpoints cannot be
added, changed, enabled or tested before verification. Nothing is sent for a suspended account. After an account is
deleted, the event of its deletion is still sent.
"""

from chalicelib.accounts import find, roles, unverified
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.tables import Account
from chalicelib.events import actors
from chalicelib.webhooks.tables import Endpoint


def eligible_since_ms(account_id: str) -> int:
    """Return the earliest creation time with which an endpoint of the account is eligible."""
    account = Account.found(account_id)
    return 0 if account is None else account.credentials_since


def is_ineligible(endpoint: Endpoint) -> bool:
    """Return whether an endpoint was created before its account's address was verified."""
    return endpoint.created_at < eligible_since_ms(endpoint.account_id)


def sendable_since_ms(account_id: str) -> int | None:
    """Return the earliest creation time with which an endpoint may receive webhooks; None while the account is
    suspended.
    """
    account = Account.found(account_id)
    if account is None:
        return 0
    return None if account.status == SUSPENDED else account.credentials_since


def is_blocked(endpoint: Endpoint) -> bool:
    """Return whether deliveries to an endpoint are blocked, because it is ineligible or its account is suspended. The
    status of the endpoint itself is not considered.
    """
    eligible_since_ms = sendable_since_ms(endpoint.account_id)
    return eligible_since_ms is None or endpoint.created_at < eligible_since_ms


def check_verified(account_id: str) -> Account:
    """Return the account.

    Raise NotFound if it doesn't exist or was deleted, and Conflict if the user who acts in it has an unverified
    address.

    The operator and the account's service user have no address.
    """
    account = find.account_by_id(account_id)
    user_id = actors.current().user_id
    if user_id and not roles.is_service_user(user_id, account_id):
        unverified.require_verified_email(find.user_by_id(user_id))
    return account
