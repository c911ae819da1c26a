"""`make admin` and `make admins`: grant or revoke the administrator role, and list the administrators.

Warn if the stage has no active administrator.
"""

import argparse
import sys

from chalicelib.accounts import states


def change(options: argparse.Namespace) -> None:
    """Grant a user the administrator role or, with --off, revoke it."""
    from chalicelib.accounts import change, find

    user = find.user_by_email(options.email)
    change.set_admin(user.id, not options.off)
    print(f"{user.email} is {'no longer an administrator' if options.off else 'an administrator'}.")
    if user.admin and not any(each.admin and each.status == states.ACTIVE for each in find.users_after("", limit=None)):
        print("There is no active administrator now. Make one: make admin EMAIL=…", file=sys.stderr)


def show(_options: argparse.Namespace) -> None:
    """Print all administrators."""
    from chalicelib.accounts import find

    for user in find.users_after("", limit=None):
        if user.admin:
            print(f"{user.id} {user.email} ({user.status})")
