"""Settings > Account: name, address, password, leaving."""

from chalicelib.accounts import change, links, mail, own, unfinished
from chalicelib.accounts import sign_up as signing_up
from chalicelib.api.console.callers import caller_of, in_words, networks_of
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
    return _account_page(visit, {})


def rename(visit: Visit) -> Shown | Gone:
    """Change the name."""
    try:
        change.rename(visit.person.account.id, NAME.check("The name", visit.text("name")))
    except errors.InvalidRequest as error:
        return _account_page(visit, {"name": error.message}, error)
    return Gone("/settings/account", "renamed")


def change_email(visit: Visit) -> Shown | Gone:
    """Send a link to another address."""
    try:
        own.ask_for_email(
            visit.person,
            caller=caller_of(visit),
            password=visit.text("password"),
            email=visit.text("email"),
            base_url=visit.base_url,
        )
    except (errors.InvalidRequest, errors.Conflict, errors.RateLimited) as error:
        return _account_page(visit, {"email": in_words(error)}, error)
    return Gone("/settings/account", "email-sent")


def change_password(visit: Visit) -> Shown | Gone:
    """Change the password."""
    try:
        own.change_password(
            visit.person,
            caller=caller_of(visit),
            password=visit.text("password"),
            new_password=visit.text("new_password"),
            base_url=visit.base_url,
        )
    except (errors.InvalidRequest, errors.Conflict, errors.RateLimited) as error:
        return _account_page(visit, {"password": in_words(error)}, error)
    return Gone("/settings/account", "password-changed")


def send_verification(visit: Visit) -> Shown | Gone:
    """Send the link that proves the address once more."""
    account = visit.person.account
    if not links.is_unproven(account):
        return Gone("/settings/account")
    try:
        signing_up.send_verification(account, networks=networks_of(visit), base_url=visit.base_url)
    except errors.RateLimited as error:
        return _account_page(visit, {"verification": in_words(error)}, error)
    return Gone("/settings/account", "verification-sent")


def delete(visit: Visit) -> Shown | Gone:
    """Delete the account."""
    try:
        ending = own.delete(visit.person, caller=caller_of(visit), password=visit.text("password"))
    except (errors.InvalidRequest, errors.Conflict, errors.RateLimited) as error:
        return _account_page(visit, {"delete": in_words(error)}, error)
    unfinished.settle(ending, is_finished=finish(ending))
    visit.set_cookie(SESSION, "", lives_s=0)
    return Gone("/login", "deleted")


def _account_page(visit: Visit, problems: dict[str, str], error: errors.LatchkeyError | None = None) -> Shown:
    matter = {
        "account": visit.person.account,
        "problems": problems,
        "by_mail": mail.is_configured(),
        "new_email": visit.text("email"),
    }
    return Shown("account", matter, error.status, error.headers) if error else Shown("account", matter)
