"""Whether an account may have webhooks now, and which of its endpoints are its own.

Those made before its address was first verified may be somebody else's, who signed up with it and waits: they get
nothing any more, and are deleted. Where mail is sent, none is added, changed, enabled or tested before that. While an
account is suspended nothing is sent for it; the end of one that is deleted is told.
"""

from chalicelib.accounts import unverified
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from chalicelib.webhooks.tables import Endpoint


def since_ms(account_id: str) -> int:
    """Return the moment from which on an account's endpoints were made by its owner."""
    account = Account.found(account_id)
    return 0 if account is None else account.credentials_since


def is_over(endpoint: Endpoint) -> bool:
    """Tell whether an endpoint ended when its account's address was verified."""
    return endpoint.created_at < since_ms(endpoint.account_id)


def sent_since_ms(account_id: str) -> int | None:
    """Return the moment from which on an account's endpoints are its own; None while nothing is sent to any of them."""
    account = Account.found(account_id)
    if account is None:
        return 0
    return None if account.status == SUSPENDED else account.credentials_since


def gets_nothing(endpoint: Endpoint) -> bool:
    """Tell whether nothing is sent to an endpoint, whatever it says itself: it is over, or its account suspended."""
    since_ms = sent_since_ms(endpoint.account_id)
    return since_ms is None or endpoint.created_at < since_ms


def check_verified(account_id: str) -> None:
    """Raise Conflict while an account has yet to verify its address, NotFound when there is no such account."""
    account = Account.found(account_id)
    if account is None:
        raise errors.NotFound("There is no such user.")
    unverified.check_proven(account)
