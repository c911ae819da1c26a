"""Settings > Profile: change your name, email and password, confirm the email, delete your user."""

from chalicelib.accounts import change, email_sender, self_service, sign_up, unverified
from chalicelib.api.console.callers import caller_of, networks_of
from chalicelib.api.console.cookies import SESSION
from chalicelib.api.console.entry import remember_device
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Text

NAME = Text(max_length=100)


def show_profile(request: PageRequest) -> Render:
    """Show the user and their forms."""
    return Render("profile", {"user": request.user.user, "by_mail": email_sender.is_configured()})


def rename(request: PageRequest) -> Redirect:
    """Change the name of the user."""
    change.rename_user(request.user.user.id, request.check("name", NAME))
    return Redirect("/settings/profile", "renamed")


def change_email(request: PageRequest) -> Redirect:
    """Send a confirmation link to a new email address."""
    self_service.request_email_change(
        request.user,
        caller=caller_of(request),
        password=request.text("password"),
        email=request.text("email"),
        base_url=request.base_url,
    )
    return Redirect("/settings/profile", "email-sent")


def change_password(request: PageRequest) -> Redirect:
    """Change the password and end all other sessions."""
    self_service.change_password(
        request.user,
        caller=caller_of(request),
        password=request.text("password"),
        new_password=request.text("new_password"),
        base_url=request.base_url,
    )
    remember_device(request, request.user.user, is_raised=True)
    return Redirect("/settings/profile", "password-changed")


def send_verification(request: PageRequest) -> Redirect:
    """Send another link that verifies the email address."""
    user = request.user.user
    if not unverified.must_verify_email(user):
        return Redirect("/settings/profile")
    sign_up.send_verification(user, networks=networks_of(request), base_url=request.base_url)
    return Redirect("/settings/profile", "verification-sent")


def delete(request: PageRequest) -> Redirect:
    """Delete the user, who must have left every account."""
    self_service.delete_user(request.user, caller=caller_of(request), password=request.text("password"))
    request.set_cookie(SESSION, "", max_age_s=0)
    return Redirect("/login", "user-deleted")
