"""The page that the link of an invitation opens. Opening it accepts nothing: only its button does."""

from chalicelib.accounts import invitation_acceptance, invitations, unverified
from chalicelib.accounts.invitations import Opened
from chalicelib.accounts.tables import EmailClaim
from chalicelib.api.console import confirm_sign_up
from chalicelib.api.console.entry import NAME, redirect_to_log_in
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import errors


def show_invitation(request: PageRequest) -> Render:
    """Show the account and the role.

    A user with the invited address gets a button, an address without a user a form for a new one, and any other user or
    an anonymous caller a link to log in.
    """
    secret = request.text_or_parameter("ticket")
    return _page(request, secret, invitations.open_link(secret))


def accept(request: PageRequest) -> Render | Redirect:
    """Accept the invitation: as the user who is logged in, or as a new user."""
    secret = request.text("ticket")
    opened = invitations.open_link(secret)
    login = request.user_or_none
    if login is not None:
        invitation_acceptance.accept(opened, login.user)
        request.open_account(opened.account.id)
        return Redirect("/settings/accounts", "joined")
    if _has_user(opened):
        return redirect_to_log_in(request, opened.invitation.mailbox, "")
    name, password = request.check("name", NAME), request.text("password")
    with errors.about("password"):
        password_hash = confirm_sign_up.hash_password(request, password, email=opened.invitation.email, name=name)
    user = invitation_acceptance.accept_as_new_user(opened, name=name, password_hash=password_hash)
    return redirect_to_log_in(request, user.mailbox, "joined-as-new-user")


def _page(request: PageRequest, secret: str, opened: Opened) -> Render:
    login = request.user_or_none
    fits = login is not None and login.user.email == opened.invitation.email
    values = {
        "ticket": secret,
        "invitation": opened.invitation,
        "account_name": opened.account.name,
        "login": login,
        "fits": fits,
        "unverified": fits and login is not None and unverified.must_verify_email(login.user),
        "has_user": _has_user(opened),
    }
    return Render("invitation", values)


def _has_user(opened: Opened) -> bool:
    """Return whether a user has the invited address. Whoever has the link may learn this."""
    return EmailClaim.found(opened.invitation.email) is not None
