"""Choose who gets an email about a credential: its user, and the owners of its account."""

from chalicelib.accounts import members
from chalicelib.accounts.tables import Account, User
from chalicelib.core import errors
from chalicelib.credentials.tables import Credential

OWNERS_MAX = 10
"""The maximum number of owners who get an email."""


def of_credential(credential: Credential) -> list[User]:
    """Return the users to notify, or [] if the account was deleted.

    They are the credential's user, while the user is a member, and up to ten owners of the account.
    """
    account = Account.found(credential.account_id)
    if account is None or not account.listed:
        return []
    owners = [each for each in members.owners_of(account, OWNERS_MAX + 1) if each.id != credential.user_id]
    return [*_user_if_member(credential), *owners[:OWNERS_MAX]]


def _user_if_member(credential: Credential) -> list[User]:
    user = User.found(credential.user_id)
    try:
        return [] if user is None else [members.find(user, credential.account_id).user]
    except errors.NotFound:
        return []
