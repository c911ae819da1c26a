"""The user and the account on which a command acts: `EMAIL=` names the user, `ACCOUNT=` the account.

`EMAIL=` alone is enough if the user belongs to exactly one account.
"""

import argparse

from chalicelib.accounts import find, members
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import Account
from infra.failed import Mistake, quoted


def membership(options: argparse.Namespace) -> Membership:
    """Return the membership of the user in the named account or, if none is named, in the user's only account.

    Raises Mistake if the user isn't a member or, with the ids to choose from, if the user belongs to several accounts.
    """
    user = find.user_by_email(options.email)
    every = members.all_of(user)
    if options.account:
        named = next((each for each in every if each.account.id == options.account), None)
        if named is None:
            raise Mistake(f"{user.email} isn't a member of {options.account}.")
        return named
    if not every:
        raise Mistake(f"{user.email} belongs to no account.")
    if len(every) > 1:
        listed = ", ".join(f"{each.account.id} ({quoted(each.account.name)}, {each.role})" for each in every)
        raise Mistake(f"{user.email} belongs to {len(every)} accounts. Choose one with ACCOUNT=: {listed}.")
    return every[0]


def account(options: argparse.Namespace) -> Account:
    """Return the account with the given id, or the account of the user. If both are given, they must belong together.

    Raises Mistake as `membership` does.
    """
    return membership(options).account if options.email else find.account_by_id(options.account)


def described(chosen: Account, options: argparse.Namespace) -> str:
    """Return the account's id, with the address by which it was found."""
    return f"{chosen.id} ({options.email})" if options.email else chosen.id
