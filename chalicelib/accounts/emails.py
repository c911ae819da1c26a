"""What each mail says. Links are built from the API's own address, never from what a request claims.

Until an address is verified, whoever gave it may be a stranger to its owner: such a mail holds no text that a person
chose, no name of theirs or of their keys, or anybody could have us send theirs to anybody.
"""

from chalicelib.accounts.email_sender import Letter
from chalicelib.accounts.tables import Account

_SIGNED = "\n\nIf this wasn't you, you can ignore this mail: nothing changes unless the link is used."


def confirm_sign_up(to: str, link: str) -> Letter:
    """Ask to confirm the address that somebody signed up with."""
    return _confirm(to, "confirm this address within the hour to finish signing up:", link)


def verify(account: Account, link: str) -> Letter:
    """Ask to confirm the address of an account."""
    return _confirm(account.mailbox, "confirm this address within the hour:", link)


def confirm_new_address(to: str, link: str) -> Letter:
    """Ask to confirm the address that an account is to have."""
    return _confirm(to, "confirm within the hour, logged in to your account, that this is its new address:", link)


def known_already(account: Account, log_in: str, reset: str) -> Letter:
    """Tell the owner of an account that someone signed up with its address."""
    text = (
        f"{_hello(account)}someone signed up with this address, which has an account."
        f" To choose another password:\n\n{reset}\n\nTo log in:\n\n{log_in}{_SIGNED}"
    )
    return Letter(account.mailbox, "You have an account already", text)


def reset(account: Account, link: str) -> Letter:
    """Give a link at which to choose another password."""
    return _choose_password(account.mailbox, _hello(account), link)


def reset_of_nobody(to: str, link: str) -> Letter:
    """Return the letter that is pretended for an address which no account has."""
    return _choose_password(to, "Hello,\n\n", link)


def password_changed(account: Account, link: str) -> Letter:
    """Tell that the password is another one now."""
    text = f"{_hello(account)}your password was changed. If this wasn't you, choose another one now:\n\n{link}"
    return Letter(account.mailbox, "Your password was changed", text)


def email_changed(account: Account, new_email: str) -> Letter:
    """Tell the old address, which `account` had, that the account has another one now."""
    other = new_email if account.is_verified else "another one"
    text = (
        f"{_hello(account)}the address of your account was changed to {other}."
        " If this wasn't you, write to the owner of this API at once."
    )
    return Letter(account.mailbox, "Your email address was changed", text)


def key_was_stopped(account: Account, *, key: str, hint: str, why: str, done: str, link: str) -> Letter:
    """Tell that a key was narrowed or revoked by itself; `why` is what was noticed, `done` what was done."""
    named = _named(account, key, hint)
    text = (
        f"{_hello(account)}something unusual was noticed about your API key {named}: {why}."
        f" As you chose for such a case, it was {done}.{_see(link)}"
    )
    return Letter(account.mailbox, f"Your API key {named} was {done}", text)


def leaked(account: Account, *, kind: str, name: str, hint: str, where: str, done: str, link: str) -> Letter:
    """Tell that a secret was found where others can read it, where, and what was done."""
    what = f"{kind} {_named(account, name, hint)}"
    # Who made the account can have us told of an address that says what they like.
    found = f"\n\n{where}" if account.is_verified else ""
    text = (
        f"{_hello(account)}the secret of your {what} was found where others can read it.{found}\n\n{done}{_see(link)}"
    )
    return Letter(account.mailbox, f"Your {what} has leaked", text)


def _confirm(to: str, sentence: str, link: str) -> Letter:
    return Letter(to, "Confirm your email address", f"Hello,\n\n{sentence}\n\n{link}{_SIGNED}")


def _choose_password(to: str, hello: str, link: str) -> Letter:
    return Letter(to, "Choose another password", f"{hello}choose another password within the hour:\n\n{link}{_SIGNED}")


def _hello(account: Account) -> str:
    return f"Hello {account.name},\n\n" if account.is_verified else "Hello,\n\n"


def _named(account: Account, name: str, hint: str) -> str:
    return name if account.is_verified else hint


def _see(link: str) -> str:
    return f"\n\nLook at it here:\n\n{link}" if link else ""
