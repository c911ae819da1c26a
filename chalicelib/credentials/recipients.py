"""Choose who gets an email about a credential: its user, and the owners of its account."""

from chalicelib.accounts import members, roles
from chalicelib.accounts.tables import Account, User
from chalicelib.core import errors
from chalicelib.credentials.tables import Credential

OWNERS_MAX = 10
"""The maximum number of owners who get an email."""
MEMBERS_READ = 200


def of_credential(credential: Credential) -> list[User]:
    """Return the users to notify, or [] if the account was deleted.

    They are the credential's user, while the user is a member, and up to ten owners among the account's first 200
    members.
    """
    account = Account.found(credential.account_id)
    if account is None or not account.listed:
        return []
    found = members.of_account(account, MEMBERS_READ)
    owners = [each.user for each in found if each.role == roles.OWNER and each.user.id != credential.user_id]
    return [*_user_if_member(credential), *owners[:OWNERS_MAX]]


def _user_if_member(credential: Credential) -> list[User]:
    user = User.found(credential.user_id)
    try:
        return [] if user is None else [members.find(user, credential.account_id).user]
    except errors.NotFound:
        return []
