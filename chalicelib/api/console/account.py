"""Settings > Account: name, address, password, leaving."""

from chalicelib.accounts import change, email_sender, self_service, unverified
from chalicelib.accounts import sign_up as signing_up
from chalicelib.api.console.callers import caller_of, networks_of
from chalicelib.api.console.cookies import SESSION
from chalicelib.api.console.entry import remember_device
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.fields import Text
from chalicelib.endings import finish

NAME = Text(most=100)


def show_settings(visit: PageRequest) -> Redirect:
    """Lead to the first of the settings."""
    return Redirect("/settings/keys")


def show_account(visit: PageRequest) -> Render:
    """Show the account and what can be changed."""
    return Render("account", {"account": visit.person.account, "by_mail": email_sender.is_configured()})


def rename(visit: PageRequest) -> Redirect:
    """Change the name."""
    change.rename(visit.person.account.id, visit.check("name", NAME))
    return Redirect("/settings/account", "renamed")


def change_email(visit: PageRequest) -> Redirect:
    """Send a link to another address."""
    self_service.ask_for_email(
        visit.person,
        caller=caller_of(visit),
        password=visit.text("password"),
        email=visit.text("email"),
        base_url=visit.base_url,
    )
    return Redirect("/settings/account", "email-sent")


def change_password(visit: PageRequest) -> Redirect:
    """Change the password."""
    self_service.change_password(
        visit.person,
        caller=caller_of(visit),
        password=visit.text("password"),
        new_password=visit.text("new_password"),
        base_url=visit.base_url,
    )
    remember_device(visit, visit.person.account, is_raised=True)
    return Redirect("/settings/account", "password-changed")


def send_verification(visit: PageRequest) -> Redirect:
    """Send the link that proves the address once more."""
    account = visit.person.account
    if not unverified.is_unproven(account):
        return Redirect("/settings/account")
    signing_up.send_verification(account, networks=networks_of(visit), base_url=visit.base_url)
    return Redirect("/settings/account", "verification-sent")


def delete(visit: PageRequest) -> Redirect:
    """Delete the account."""
    ending = self_service.delete(visit.person, caller=caller_of(visit), password=visit.text("password"))
    finish.first_slice(ending)
    visit.set_cookie(SESSION, "", lives_s=0)
    return Redirect("/login", "deleted")
