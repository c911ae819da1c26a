"""Texts of the emails. Links use the base URL of the API, never a header of the request.

An unverified address may belong to someone other than the user who entered it, so its emails contain no text that a
user chose, such as a name: otherwise anyone could use them to send text to any address.
"""

from chalicelib.accounts.email_sender import Letter
from chalicelib.accounts.tables import Account

_IGNORE = "\n\nIf you didn't request this, you can ignore this email: nothing changes unless the link is used."


def confirm_sign_up(to: str, link: str) -> Letter:
    """Ask to confirm the address of a sign-up."""
    return _confirm(
        to, "Confirm your email address to finish signing up to Latchkey (the link expires in 1 hour):", link
    )


def verify(account: Account, link: str) -> Letter:
    """Ask to confirm the address of an account."""
    return _confirm(account.mailbox, "Confirm your email address for Latchkey (the link expires in 1 hour):", link)


def confirm_new_address(to: str, link: str) -> Letter:
    """Ask to confirm the new address of an account."""
    text = (
        "Confirm the new email address of your Latchkey account. Open this link in a browser in which you are logged in"
    )
    return _confirm(to, f"{text} (it expires in 1 hour):", link)


def known_already(account: Account, log_in: str, reset: str) -> Letter:
    """Report a sign-up with the address of an existing account."""
    text = (
        f"{_hello(account)}Someone signed up to Latchkey with this email address, which already has an account."
        f" To reset your password:\n\n{reset}\n\nTo log in:\n\n{log_in}{_IGNORE}"
    )
    return Letter(account.mailbox, "You already have an account", text)


def reset(account: Account, link: str) -> Letter:
    """Send a link to reset the password."""
    return _reset_password(account.mailbox, _hello(account), link)


def reset_of_nobody(to: str, link: str) -> Letter:
    """Return the email for an address without an account, which is only pretended to be sent."""
    return _reset_password(to, "Hello,\n\n", link)


def password_changed(account: Account, link: str) -> Letter:
    """Report that the password was changed."""
    text = f"{_hello(account)}Your password was changed. If this wasn't you, reset it now:\n\n{link}"
    return Letter(account.mailbox, "Your password was changed", text)


def email_changed(account: Account, new_email: str) -> Letter:
    """Report to the old address, which `account` still has, that the address was changed."""
    to = f" to {new_email}" if account.is_verified else ""
    text = (
        f"{_hello(account)}The email address of your account was changed{to}."
        " If this wasn't you, contact the operator of this API immediately."
    )
    return Letter(account.mailbox, "Your email address was changed", text)


def key_was_stopped(account: Account, *, key: str, hint: str, why: str, done: str, link: str) -> Letter:
    """Report that unusual activity, described by `why`, removed scopes of a key or revoked it; `done` says which."""
    named = _named(account, key, hint)
    text = (
        f"{_hello(account)}We detected unusual activity of your API key {named}: {why}."
        f" As you chose for this case, it was {done}.{_see(link)}"
    )
    return Letter(account.mailbox, f"Your API key {named} was {done}", text)


def leaked(account: Account, *, kind: str, name: str, hint: str, where: str, done: str, link: str) -> Letter:
    """Report that a secret has leaked, where it was found, and the response."""
    what = f"{kind} {_named(account, name, hint)}"
    # A report can contain any text, so an unverified address doesn't get its URL.
    found = f"\n\n{where}" if account.is_verified else ""
    text = (
        f"{_hello(account)}The secret of your {what} was found where others can read it.{found}\n\n{done}{_see(link)}"
    )
    return Letter(account.mailbox, f"Your {what} has leaked", text)


def _confirm(to: str, sentence: str, link: str) -> Letter:
    return Letter(to, "Confirm your email address", f"Hello,\n\n{sentence}\n\n{link}{_IGNORE}")


def _reset_password(to: str, hello: str, link: str) -> Letter:
    return Letter(
        to, "Reset your password", f"{hello}Reset your password (the link expires in 1 hour):\n\n{link}{_IGNORE}"
    )


def _hello(account: Account) -> str:
    return f"Hi {account.name},\n\n" if account.is_verified else "Hello,\n\n"


def _named(account: Account, name: str, hint: str) -> str:
    return name if account.is_verified else hint


def _see(link: str) -> str:
    return f"\n\nView it in the console:\n\n{link}" if link else ""
