"""`make admin` and `make admins`: grant or revoke the administrator role, and list the administrators.

Warn if the stage has no active administrator.
"""

import argparse
import sys

from chalicelib.accounts import states


def change(options: argparse.Namespace) -> None:
    """Grant an account the administrator role or, with --off, revoke it."""
    from chalicelib.accounts import change, find

    account = find.account_by_email(options.email)
    change.set_admin(account.id, not options.off)
    print(f"{account.email} is {'no longer an administrator' if options.off else 'an administrator'}.")
    warn_if_none(account.admin)


def warn_if_none(was_one: bool) -> None:
    """Warn on standard error if there is no active administrator."""
    from chalicelib.accounts import find

    if was_one and not any(each.admin and each.status == states.ACTIVE for each in find.accounts_after("", limit=None)):
        print("There is no active administrator now. Make one: make admin EMAIL=…", file=sys.stderr)


def show(_options: argparse.Namespace) -> None:
    """Print all administrators."""
    from chalicelib.accounts import find

    for account in find.accounts_after("", limit=None):
        if account.admin:
            print(f"{account.id} {account.email} ({account.status})")
