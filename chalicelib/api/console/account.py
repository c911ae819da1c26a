"""Settings > Account: name, address, password, leaving."""

from chalicelib.accounts import change, links, own, unfinished
from chalicelib.accounts import sign_up as signing_up
from chalicelib.api.console.frame import SESSION, Gone, Shown, Visit
from chalicelib.api.fields import Text
from chalicelib.core import errors
from chalicelib.endings.account import finish

NAME = Text(most=100)


def show_settings(visit: Visit) -> Gone:
    """Lead to the first of the settings."""
    return Gone("/settings/keys")


def show_account(visit: Visit) -> Shown:
    """Show the account and what can be changed."""
    return _account_page(visit, {}, 200)


def rename(visit: Visit) -> Shown | Gone:
    """Change the name."""
    try:
        change.rename(visit.person.account.id, NAME.check("The name", visit.text("name")))
    except errors.InvalidRequest as error:
        return _account_page(visit, {"name": error.message}, error.status)
    return Gone("/settings/account", "renamed")


def change_email(visit: Visit) -> Shown | Gone:
    """Send a link to another address."""
    try:
        own.ask_for_email(
            visit.person, password=visit.text("password"), email=visit.text("email"), base_url=visit.base_url
        )
    except errors.InvalidRequest as error:
        return _account_page(visit, {"email": error.message}, error.status)
    return Gone("/settings/account", "email-sent")


def change_password(visit: Visit) -> Shown | Gone:
    """Change the password."""
    try:
        own.change_password(
            visit.person,
            password=visit.text("password"),
            new_password=visit.text("new_password"),
            base_url=visit.base_url,
        )
    except (errors.InvalidRequest, errors.Conflict) as error:
        return _account_page(visit, {"password": error.message}, error.status)
    return Gone("/settings/account", "password-changed")


def send_verification(visit: Visit) -> Gone:
    """Send the link that proves the address once more."""
    account = visit.person.account
    if account.email_verified_at is None:
        signing_up.send_verification(account.id, account.email, account.name, visit.base_url)
    return Gone("/settings/account", "verification-sent")


def delete(visit: Visit) -> Shown | Gone:
    """Delete the account."""
    try:
        ending = own.delete(visit.person, password=visit.text("password"))
    except (errors.InvalidRequest, errors.Conflict) as error:
        return _account_page(visit, {"delete": error.message}, error.status)
    unfinished.settle(ending, is_finished=finish(ending))
    visit.set_cookie(SESSION, "", lives_s=0)
    return Gone("/login", "deleted")


def _account_page(visit: Visit, problems: dict[str, str], status: int) -> Shown:
    matter = {"account": visit.person.account, "problems": problems, "link_hours": links.LIVES_S // 3_600}
    return Shown("account", matter, status)
