"""Settings > Account: name, address, password, leaving."""

from chalicelib.accounts import change, email_sender, self_service, unverified
from chalicelib.accounts import sign_up as signing_up
from chalicelib.api.console.callers import caller_of, networks_of
from chalicelib.api.console.cookies import SESSION
from chalicelib.api.console.entry import remember_device
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Text
from chalicelib.termination import finish

NAME = Text(max_length=100)


def show_settings(request: PageRequest) -> Redirect:
    """Lead to the first of the settings."""
    return Redirect("/settings/keys")


def show_account(request: PageRequest) -> Render:
    """Show the account and what can be changed."""
    return Render("account", {"account": request.person.account, "by_mail": email_sender.is_configured()})


def rename(request: PageRequest) -> Redirect:
    """Change the name."""
    change.rename(request.person.account.id, request.check("name", NAME))
    return Redirect("/settings/account", "renamed")


def change_email(request: PageRequest) -> Redirect:
    """Send a link to another address."""
    self_service.ask_for_email(
        request.person,
        caller=caller_of(request),
        password=request.text("password"),
        email=request.text("email"),
        base_url=request.base_url,
    )
    return Redirect("/settings/account", "email-sent")


def change_password(request: PageRequest) -> Redirect:
    """Change the password."""
    self_service.change_password(
        request.person,
        caller=caller_of(request),
        password=request.text("password"),
        new_password=request.text("new_password"),
        base_url=request.base_url,
    )
    remember_device(request, request.person.account, is_raised=True)
    return Redirect("/settings/account", "password-changed")


def send_verification(request: PageRequest) -> Redirect:
    """Send the link that proves the address once more."""
    account = request.person.account
    if not unverified.is_unproven(account):
        return Redirect("/settings/account")
    signing_up.send_verification(account, networks=networks_of(request), base_url=request.base_url)
    return Redirect("/settings/account", "verification-sent")


def delete(request: PageRequest) -> Redirect:
    """Delete the account."""
    ending = self_service.delete(request.person, caller=caller_of(request), password=request.text("password"))
    finish.first_slice(ending)
    request.set_cookie(SESSION, "", lives_s=0)
    return Redirect("/login", "deleted")
