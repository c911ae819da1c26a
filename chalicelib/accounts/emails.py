"""Texts of the emails. Their links begin with the configured address of the API, never with an address from a request.

An email to an unverified address contains no text that a user typed, such as a name. Otherwise anyone could sign up
with somebody else's address and send them any text.
"""

from chalicelib.accounts.email_sender import EmailMessage
from chalicelib.accounts.tables import User

_PRODUCT = "Latchkey"
_EXPIRES = "(the link expires in 1 hour)"
_UNREQUESTED = "\n\nIf you didn't request this, ignore this email: nothing changes unless the link is used."


def confirm_sign_up(to: str, link: str) -> EmailMessage:
    """Return the email that verifies the address of a sign-up."""
    return _confirm(to, f"Confirm your email address to finish signing up for {_PRODUCT}", link)


def verify(user: User, link: str) -> EmailMessage:
    """Return the email that verifies the address of a user."""
    return _confirm(user.mailbox, f"Confirm your email address for {_PRODUCT}", link)


def invitation(to: str, link: str) -> EmailMessage:
    """Return the email that invites an address to an account."""
    text = f"Hello,\n\nYou have been invited to join an account on {_PRODUCT}. View and accept the invitation"
    text += f" (the link expires in 7 days):\n\n{link}\n\nIf you don't know why, ignore this email."
    return EmailMessage(to, f"You have been invited to join an account on {_PRODUCT}", text)


def confirm_new_address(to: str, link: str) -> EmailMessage:
    """Return the email that verifies the new address of a user."""
    return _confirm(to, f"Log in to {_PRODUCT} and confirm your new email address", link)


def address_has_user(user: User, log_in: str, reset: str) -> EmailMessage:
    """Return the email that is sent when somebody signs up with the address of an existing user."""
    text = (
        f"{_greeting(user)}Someone signed up for {_PRODUCT} with this email address, which already has an account."
        f" To reset your password:\n\n{reset}\n\nTo log in:\n\n{log_in}{_UNREQUESTED}"
    )
    return EmailMessage(user.mailbox, "You already have an account", text)


def reset(user: User, link: str) -> EmailMessage:
    """Return the email that resets a password."""
    return _reset(user.mailbox, _greeting(user), link)


def reset_without_user(to: str, link: str) -> EmailMessage:
    """Return the email whose sending is simulated when no user has the address."""
    return _reset(to, "Hello,\n\n", link)


def password_changed(user: User, link: str) -> EmailMessage:
    """Return the email that reports a changed password."""
    text = f"{_greeting(user)}Your {_PRODUCT} password was changed. If this wasn't you, reset it now:\n\n{link}"
    return EmailMessage(user.mailbox, "Your password was changed", text)


def email_changed(user: User, new_email: str) -> EmailMessage:
    """Return the email that reports a new address to the old one. `user` still contains the old address."""
    new = new_email if user.is_verified else "another address"
    text = (
        f"{_greeting(user)}The email address of your {_PRODUCT} log-in was changed to {new}."
        " If this wasn't you, contact the operator of this API immediately."
    )
    return EmailMessage(user.mailbox, "Your email address was changed", text)


def anomaly_handled(user: User, *, key: str, hint: str, why: str, done: str, link: str) -> EmailMessage:
    """Return the email about unusual use of a key: `why` describes it, and `done` is the action that the key's policy
    required.
    """
    named = _name_of(user, key, hint)
    text = (
        f"{_greeting(user)}We detected unusual activity of your API key {named}: {why}."
        f" As set in its policy, it was {done}.{_view(link)}"
    )
    return EmailMessage(user.mailbox, f"Your API key {named} was {done}", text)


def leaked(user: User, *, kind: str, name: str, hint: str, where: str, done: str, link: str) -> EmailMessage:
    """Return the email that reports a leaked secret, where it was found, and the action taken."""
    what = f"{kind} {_name_of(user, name, hint)}"
    # A user can report a leak of their own key with any URL, so treat the URL as text that a user typed.
    found = f"\n\n{where}" if user.is_verified else ""
    text = (
        f"{_greeting(user)}The secret of your {what} was found where others can read it.{found}\n\n{done}{_view(link)}"
    )
    return EmailMessage(user.mailbox, f"Your {what} has leaked", text)


def _confirm(to: str, request: str, link: str) -> EmailMessage:
    text = f"Hello,\n\n{request} {_EXPIRES}:\n\n{link}{_UNREQUESTED}"
    return EmailMessage(to, "Confirm your email address", text)


def _reset(to: str, greeting: str, link: str) -> EmailMessage:
    return EmailMessage(
        to, "Reset your password", f"{greeting}Set a new {_PRODUCT} password {_EXPIRES}:\n\n{link}{_UNREQUESTED}"
    )


def _greeting(user: User) -> str:
    return f"Hi {user.name},\n\n" if user.is_verified else "Hello,\n\n"


def _name_of(user: User, name: str, hint: str) -> str:
    return name if user.is_verified else hint


def _view(link: str) -> str:
    return f"\n\nView it here:\n\n{link}" if link else ""
