"""Settings > Account: change the name of the account, delete it. Settings > Your accounts: create another one, switch
between them.
"""

from chalicelib.accounts import change, create, members, owned_clients, roles, self_service, sign_up_limits, unverified
from chalicelib.api.console.callers import caller_of, networks_of
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Text
from chalicelib.limits.tiers import FREE

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


def create_account(request: PageRequest) -> Redirect:
    """Create an account that the user owns, and open it."""
    user = request.user.user
    unverified.require_verified_email(user)
    name = request.check("name", NAME)
    sign_up_limits.count_further_account(user, networks_of(request))
    created = create.create_further_account(user, name=name, tier=FREE)
    request.open_account(created.account.id)
    return Redirect("/settings/account", "account-created")
