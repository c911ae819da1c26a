"""Texts of the emails. Their links begin with the configured address of the API, never with an address from a request.

An email to an unverified address contains no text that a user typed, such as a name. Otherwise anyone could sign up
with somebody else's address and send them any text.
"""

from chalicelib.accounts.email_sender import EmailMessage
from chalicelib.accounts.tables import Account

_PRODUCT = "Latchkey"
_EXPIRES = "(the link expires in 1 hour)"
_UNREQUESTED = "\n\nIf you didn't request this, ignore this email: nothing changes unless the link is used."


def confirm_sign_up(to: str, link: str) -> EmailMessage:
    """Return the email that verifies the address of a sign-up."""
    return _confirm(to, f"Confirm your email address to finish signing up for {_PRODUCT}", link)


def verify(account: Account, link: str) -> EmailMessage:
    """Return the email that verifies the address of an account."""
    return _confirm(account.mailbox, f"Confirm your email address for {_PRODUCT}", link)


def confirm_new_address(to: str, link: str) -> EmailMessage:
    """Return the email that verifies the new address of an account."""
    return _confirm(to, f"Log in to {_PRODUCT} and confirm the new email address of your account", link)


def address_has_account(account: Account, log_in: str, reset: str) -> EmailMessage:
    """Return the email that is sent when somebody signs up with the address of an existing account."""
    text = (
        f"{_greeting(account)}Someone signed up for {_PRODUCT} with this email address, which already has an account."
        f" To reset your password:\n\n{reset}\n\nTo log in:\n\n{log_in}{_UNREQUESTED}"
    )
    return EmailMessage(account.mailbox, "You already have an account", text)


def reset(account: Account, link: str) -> EmailMessage:
    """Return the email that resets a password."""
    return _reset(account.mailbox, _greeting(account), link)


def reset_without_account(to: str, link: str) -> EmailMessage:
    """Return the email whose sending is simulated when no account has the address."""
    return _reset(to, "Hello,\n\n", link)


def password_changed(account: Account, link: str) -> EmailMessage:
    """Return the email that reports a changed password."""
    text = f"{_greeting(account)}Your {_PRODUCT} password was changed. If this wasn't you, reset it now:\n\n{link}"
    return EmailMessage(account.mailbox, "Your password was changed", text)


def email_changed(account: Account, new_email: str) -> EmailMessage:
    """Return the email that reports a new address to the old one. `account` still contains the old address."""
    new = new_email if account.is_verified else "another address"
    text = (
        f"{_greeting(account)}The email address of your {_PRODUCT} account was changed to {new}."
        " If this wasn't you, contact the operator of this API immediately."
    )
    return EmailMessage(account.mailbox, "Your email address was changed", text)


def anomaly_handled(account: Account, *, key: str, hint: str, why: str, done: str, link: str) -> EmailMessage:
    """Return the email about unusual use of a key: `why` describes it, and `done` is the action that the key's policy
    required.
    """
    named = _name_of(account, key, hint)
    text = (
        f"{_greeting(account)}We detected unusual activity of your API key {named}: {why}."
        f" As set in its policy, it was {done}.{_view(link)}"
    )
    return EmailMessage(account.mailbox, f"Your API key {named} was {done}", text)


def leaked(account: Account, *, kind: str, name: str, hint: str, where: str, done: str, link: str) -> EmailMessage:
    """Return the email that reports a leaked secret, where it was found, and the action taken."""
    what = f"{kind} {_name_of(account, name, hint)}"
    # A user can report a leak of their own key with any URL, so treat the URL as text that a user typed.
    found = f"\n\n{where}" if account.is_verified else ""
    text = (
        f"{_greeting(account)}The secret of your {what} was found where others can read it."
        f"{found}\n\n{done}{_view(link)}"
    )
    return EmailMessage(account.mailbox, f"Your {what} has leaked", text)


def _confirm(to: str, request: str, link: str) -> EmailMessage:
    text = f"Hello,\n\n{request} {_EXPIRES}:\n\n{link}{_UNREQUESTED}"
    return EmailMessage(to, "Confirm your email address", text)


def _reset(to: str, greeting: str, link: str) -> EmailMessage:
    return EmailMessage(
        to, "Reset your password", f"{greeting}Set a new {_PRODUCT} password {_EXPIRES}:\n\n{link}{_UNREQUESTED}"
    )


def _greeting(account: Account) -> str:
    return f"Hi {account.name},\n\n" if account.is_verified else "Hello,\n\n"


def _name_of(account: Account, name: str, hint: str) -> str:
    return name if account.is_verified else hint


def _view(link: str) -> str:
    return f"\n\nView it here:\n\n{link}" if link else ""
