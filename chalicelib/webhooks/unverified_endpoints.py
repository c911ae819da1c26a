"""Delete endpoints that are older than the first verification of an address; somebody else may have created them."""

from pynamodb.expressions.condition import Condition

from chalicelib.accounts.tables import Account, User
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint


def delete_all(account: Account) -> None:
    """Delete an account's endpoints that are older than the first verification of its creator's address. There are at
    most ten, and they already receive nothing.
    """
    _delete_if(account, Endpoint.created_at < account.credentials_since)


def delete_of_user(account: Account, user: User) -> None:
    """Delete a user's endpoints of an account that are older than the first verification of the user's address."""
    _delete_if(account, (Endpoint.user_id == user.id) & (Endpoint.created_at < user.credentials_since))


def _delete_if(account: Account, condition: Condition) -> None:
    ids = Endpoint.id.between(endpoints.FIRST, endpoints.LAST)
    for endpoint in list(Endpoint.query(account.id, ids, condition, consistent_read=True)):
        endpoints.delete(endpoint)
