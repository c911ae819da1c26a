"""Settings > Account: change the name of the account, delete it. Settings > Your accounts: create another one, switch
between them, leave a suspended one.
"""

from chalicelib.accounts import change, create, members, owned_clients, roles, self_service, sign_up_limits, unverified
from chalicelib.accounts.states import SUSPENDED
from chalicelib.api.console import confirm
from chalicelib.api.console.callers import caller_of, networks_of
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Text
from chalicelib.core import errors
from chalicelib.limits.tiers import FREE
from chalicelib.termination import finish, member_removal

NAME = Text(max_length=100)


def show_settings(request: PageRequest) -> Redirect:
    """Redirect to the first page that the user's role may open, with the notice of the last action."""
    sees_keys = request.membership.may(roles.DEVELOPER)
    return Redirect("/settings/keys" if sees_keys else "/settings/usage", request.query.get("done", ""))


def show_account(request: PageRequest) -> Render:
    """Show the account and its forms."""
    return Render("account", {"account": request.account, "membership": request.membership})


def rename(request: PageRequest) -> Redirect:
    """Change the name of the account."""
    change.rename(request.account.id, request.check("name", NAME))
    return Redirect("/settings/account", "renamed")


def delete(request: PageRequest) -> Redirect:
    """Delete the account."""
    self_service.delete_account(request.membership, caller=caller_of(request), password=request.text("password"))
    owned_clients.mark_first_users(request.account.id)
    return Redirect("/settings/accounts", "deleted")


def show_accounts(request: PageRequest) -> Render:
    """List the accounts of the user, to open one or to create another."""
    values = {"memberships": request.memberships, "unverified": unverified.must_verify_email(request.user.user)}
    return Render("accounts", values)


def open_account(request: PageRequest) -> Redirect:
    """Let the next pages of this browser belong to another account of the user."""
    opened = members.find(request.user.user, request.text("open"))
    request.open_account(opened.account.id)
    return Redirect("/settings")


def confirm_leave(request: PageRequest) -> Render:
    """Ask for confirmation before the user leaves a suspended account."""
    account = _suspended(request).account
    return confirm.ask(
        confirm.Question(
            heading=f"Leave {account.name}?",
            consequence="You lose access to it, also if it is reinstated. Your keys in it are revoked.",
            about=account.id,
            action="/settings/accounts/leave",
            button="Leave",
            back="/settings/accounts",
            back_label="Your accounts",
            hidden={"leave": [account.id]},
        )
    )


def leave(request: PageRequest) -> Redirect:
    """Leave a suspended account, whose pages the user can't open, and revoke the user's keys in it."""
    membership = _suspended(request)
    finish.run_first_batch(member_removal.remove(membership.manager, membership.user.id, keys=member_removal.REVOKE))
    return Redirect("/settings/accounts", "left")


def create_account(request: PageRequest) -> Redirect:
    """Create an account that the user owns, and open it."""
    user = request.user.user
    unverified.require_verified_email(user)
    name = request.check("name", NAME)
    sign_up_limits.count_further_account(user, networks_of(request))
    created = create.create_further_account(user, name=name, tier=FREE)
    request.open_account(created.account.id)
    return Redirect("/settings/account", "account-created")


def _suspended(request: PageRequest) -> members.Membership:
    """Return the user's membership of the suspended account in the request, unless they are its last owner."""
    membership = members.find(request.user.user, request.text_or_parameter("leave"))
    if membership.account.status != SUSPENDED:
        raise errors.Conflict("This account isn't suspended. Leave it in Settings > Members.")
    if membership.is_last_owner:
        raise errors.Conflict("You are the last owner of this account. Ask the operator of this API to delete it.")
    return membership
