"""Settings > Account: change the name, email and password, confirm the email, delete the account."""

from chalicelib.accounts import change, email_sender, self_service, sign_up, unverified
from chalicelib.api.console.callers import caller_of, networks_of
from chalicelib.api.console.cookies import SESSION
from chalicelib.api.console.entry import remember_device
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Text
from chalicelib.termination import finish

NAME = Text(max_length=100)


def show_settings(request: PageRequest) -> Redirect:
    """Redirect to the first settings page."""
    return Redirect("/settings/keys")


def show_account(request: PageRequest) -> Render:
    """Show the account and its forms."""
    return Render("account", {"account": request.user.account, "by_mail": email_sender.is_configured()})


def rename(request: PageRequest) -> Redirect:
    """Change the name of the account."""
    change.rename(request.user.account.id, request.check("name", NAME))
    return Redirect("/settings/account", "renamed")


def change_email(request: PageRequest) -> Redirect:
    """Send a confirmation link to a new email address."""
    self_service.request_email_change(
        request.user,
        caller=caller_of(request),
        password=request.text("password"),
        email=request.text("email"),
        base_url=request.base_url,
    )
    return Redirect("/settings/account", "email-sent")


def change_password(request: PageRequest) -> Redirect:
    """Change the password and end all other sessions."""
    self_service.change_password(
        request.user,
        caller=caller_of(request),
        password=request.text("password"),
        new_password=request.text("new_password"),
        base_url=request.base_url,
    )
    remember_device(request, request.user.account, is_raised=True)
    return Redirect("/settings/account", "password-changed")


def send_verification(request: PageRequest) -> Redirect:
    """Send another link that verifies the email address."""
    account = request.user.account
    if not unverified.must_verify_email(account):
        return Redirect("/settings/account")
    sign_up.send_verification(account, networks=networks_of(request), base_url=request.base_url)
    return Redirect("/settings/account", "verification-sent")


def delete(request: PageRequest) -> Redirect:
    """Delete the account."""
    ending = self_service.delete(request.user, caller=caller_of(request), password=request.text("password"))
    finish.run_first_slice(ending)
    request.set_cookie(SESSION, "", max_age_s=0)
    return Redirect("/login", "deleted")
