"""Memberships: which accounts a user belongs to, and with which role."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from pynamodb.expressions.condition import Condition, size

from chalicelib.accounts import managers, roles
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import clock, errors, ids
from chalicelib.core.dynamodb import filtered_page, models

ACCOUNTS_MAX = 50
"""The maximum number of accounts to which a user can belong. A change of the user marks all of them."""
FIRST_USER_ID, LAST_USER_ID = "usr_", "usr_~"
UNVERIFIED_ACCOUNTS_MAX = 40
"""The maximum for a user with an unverified address. The first verification changes all of them in one transaction."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A user in one of the user's accounts."""

    account: Account
    user: User
    member: Member

    @property
    def id(self) -> str:
        """Return the id of the membership in its account, which contains the user's id."""
        return id_of(self.user.id)

    @property
    def manager(self) -> Manager:
        """Return the user as a manager of the account's members."""
        return Manager(self.account.id, self.user.id, self.role, self.account.credentials_since)

    @property
    def role(self) -> str:
        """Return the user's role in the account."""
        return self.member.role

    @property
    def is_last_owner(self) -> bool:
        """Return whether the user is the account's only owner."""
        return self.role == roles.OWNER and self.account.owners <= 1

    def may(self, least: str) -> bool:
        """Return whether the user has at least the rights of the role `least`."""
        return roles.has_rights_of(self.role, least)


def require(membership: Membership, least: str) -> None:
    """Raise InsufficientRole unless the user has at least the rights of the role `least`."""
    if not membership.may(least):
        raise errors.InsufficientRole(least)


def require_active(membership: Membership) -> None:
    """Raise SuspendedAccount if the operator has suspended the account."""
    if membership.account.status != ACTIVE:
        raise SuspendedAccount


class SuspendedAccount(errors.LatchkeyError):
    """The user is a member of the account, but the account is suspended."""

    status, error = 403, "suspended"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("This account is suspended. Contact the operator of this API.")


def find(user: User, account_id: str) -> Membership:
    """Return the membership of a user who was read before, such as the one who is logged in.

    Raises NotFound if the user isn't a member or the account was deleted.
    """
    if account_id in (user.account_ids or ()):
        keys = {Account: Account.item(id=account_id), Member: Member.item(account_id=account_id, user_id=user.id)}
        found = models.find_in_one_call(keys)
        membership = _valid(found.get(Account), user, found.get(Member))
        if membership is not None:
            return membership
    raise errors.NotFound("You aren't a member of this account.")


def read(account_id: str, user_id: str, *, not_found: str) -> Membership:
    """Return a user's membership of an account, with one database call.

    Raises NotFound with the message `not_found` if the user isn't a member, or the user or the account was deleted.
    """
    if ids.is_id(user_id, "usr"):
        found = models.find_in_one_call(
            {
                Account: Account.item(id=account_id),
                User: User.item(id=user_id),
                Member: Member.item(account_id=account_id, user_id=user_id),
            }
        )
        membership = _valid(found.get(Account), found.get(User), found.get(Member))
        if membership is not None:
            return membership
    raise errors.NotFound(not_found)


def all_of(user: User) -> list[Membership]:
    """Return all memberships of a user, oldest account first."""
    ids = sorted(user.account_ids or ())
    accounts = {each.id: each for each in Account.batch_get(ids, consistent_read=True)} if ids else {}
    keys = [(account_id, user.id) for account_id in ids]
    members = {each.account_id: each for each in Member.batch_get(keys, consistent_read=True)} if ids else {}
    return [
        Membership(account, user, member)
        for account_id in ids
        if (account := accounts.get(account_id)) is not None
        and account.listed
        and (member := members.get(account_id)) is not None
        and is_valid(member, account)
    ]


def of_account(account: Account, limit: int = 100) -> list[Membership]:
    """Return the first memberships of an account by user id, up to `limit`. Some may be missing (see `read_page`)."""
    return read_page(account, limit)[0]


def users_of(account: Account, user_ids: Collection[str]) -> dict[str, User]:
    """Return those of the users who are members of an account, by id."""
    users = {each.id: each for each in User.batch_get(user_ids, consistent_read=True)} if user_ids else {}
    keys = [(account.id, user_id) for user_id in users]
    found = Member.batch_get(keys, consistent_read=True) if keys else ()
    return {each.user_id: users[each.user_id] for each in found if is_valid(each, account)}


def owners_of(account: Account, limit: int) -> list[User]:
    """Return up to `limit` owners of an account, by user id."""
    is_owner = (Member.role == roles.OWNER) & _is_valid_in(account)
    between = Member.user_id.between(FIRST_USER_ID, LAST_USER_ID)
    found = [each.user_id for each in islice(Member.query(account.id, between, is_owner, consistent_read=True), limit)]
    users = {each.id: each for each in User.batch_get(found, consistent_read=True)} if found else {}
    return [users[user_id] for user_id in found if user_id in users]


def read_page(account: Account, size: int, *, after: str = "") -> tuple[list[Membership], str]:
    """Return up to `size` memberships of an account by user id, and the user id after which the next page starts ("" at
    the end).

    If `after` is given, only those with a greater user id are returned. Invalid ones are left out. If there are many of
    them, the page may contain fewer memberships than exist (see `filtered_page`).
    """
    beyond = Member.user_id.between(f"{after} " if after else FIRST_USER_ID, LAST_USER_ID)
    found, next_after = filtered_page.read(Member, account.id, beyond, _is_valid_in(account), size=size)
    users = {user.id: user for user in User.batch_get([each.user_id for each in found], consistent_read=True)}
    return [Membership(account, users[each.user_id], each) for each in found if each.user_id in users], next_after


def items_of(account_id: str) -> Iterator[Member]:
    """Yield all memberships of an account by user id, including invalid ones."""
    yield from Member.query(account_id, Member.user_id.between(FIRST_USER_ID, LAST_USER_ID), consistent_read=True)


def id_of(user_id: str) -> str:
    """Return the id of a user's membership in any account."""
    return f"mem_{user_id.partition('_')[2]}"


def _valid(account: Account | None, user: User | None, member: Member | None) -> Membership | None:
    if account is None or user is None or member is None or not (account.listed and user.listed):
        return None
    return Membership(account, user, member) if is_valid(member, account) else None


def is_valid(member: Member, account: Account) -> bool:
    """Return whether a membership began after the account's creator verified their address (or didn't need to)."""
    return not account.predates_verification(member.since)


def _is_valid_in(account: Account) -> Condition:
    """Return `is_valid` as a condition on a member."""
    return Member.since >= account.credentials_since


def new(account_id: str, user_id: str, role: str, *, invited_by: str | None = None) -> Member:
    """Return a new membership that isn't stored yet."""
    return Member(account_id, user_id, role=role, since=clock.now_ms(), invited_by=invited_by)


def add_to(write: models.Transaction, member: Member, user: User) -> None:
    """In a transaction, add an existing `user` to an account. Of two concurrent transactions one fails.

    The conditions fail if the user is a member already, or belongs to the maximum number of accounts.
    """
    write.save(member, condition=Member.role.does_not_exist())
    write.update(
        User(user.id),
        actions=[User.account_ids.add({member.account_id})],
        condition=has_room(user),
        return_values="ALL_OLD",
    )


def too_many(user: User) -> errors.Conflict:
    """Return the error for a user who belongs to the maximum number of accounts."""
    most = ACCOUNTS_MAX if user.is_verified else UNVERIFIED_ACCOUNTS_MAX
    return errors.Conflict(f"You can belong to at most {most} accounts. Leave one, then try again.")


def has_room(user: User) -> Condition:
    """Return the condition on a user under which the user can become a member of one more account."""
    most = ACCOUNTS_MAX if user.is_verified else UNVERIFIED_ACCOUNTS_MAX
    has_room: Condition = User.account_ids.does_not_exist() | (size(User.account_ids) < most)
    has_room &= User.listed.exists()
    return has_room


def remove_from(write: models.Transaction, member: Member, manager: Manager) -> None:
    """In a transaction, remove a user from an account.

    The conditions fail if a role was changed concurrently, or if the member is the account's last owner.
    """
    write.delete(Member(member.account_id, member.user_id), condition=Member.role == member.role)
    write.update(
        User(member.user_id), actions=[User.account_ids.delete({member.account_id})], condition=User.id.exists()
    )
    managers.require_unchanged(write, manager, owners=-1 if member.role == roles.OWNER else 0, of=member.user_id)
