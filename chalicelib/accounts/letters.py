"""What each mail says. Links are built from the API's own address, never from what a request claims."""

from chalicelib.accounts.mail import Letter

_SIGNED = "\n\nIf this wasn't you, you can ignore this mail: nothing changes unless the link is used."


def verify(to: str, name: str, link: str) -> Letter:
    """Ask to confirm an address."""
    return Letter(
        to, "Confirm your email address", f"Hello {name},\n\nconfirm this address within the hour:\n\n{link}{_SIGNED}"
    )


def known_already(to: str, name: str, link: str) -> Letter:
    """Tell the owner of an account that someone signed up with its address."""
    text = f"Hello {name},\n\nsomeone signed up with this address, which has an account. To log in:\n\n{link}{_SIGNED}"
    return Letter(to, "You have an account already", text)


def reset(to: str, name: str, link: str) -> Letter:
    """Give a link at which to choose another password."""
    text = f"Hello {name},\n\nchoose another password within the hour:\n\n{link}{_SIGNED}"
    return Letter(to, "Choose another password", text)


def password_changed(to: str, name: str, link: str) -> Letter:
    """Tell that the password is another one now."""
    text = f"Hello {name},\n\nyour password was changed. If this wasn't you, choose another one now:\n\n{link}"
    return Letter(to, "Your password was changed", text)


def email_changed(to: str, name: str, new_email: str) -> Letter:
    """Tell the old address that the account has another one now."""
    text = (
        f"Hello {name},\n\nthe address of your account was changed to {new_email}."
        " If this wasn't you, write to the owner of this API at once."
    )
    return Letter(to, "Your email address was changed", text)


def key_was_stopped(to: str, name: str, *, key: str, why: str, done: str, link: str) -> Letter:
    """Tell that a key was narrowed or revoked by itself; `why` is what was noticed, `done` what was done."""
    text = (
        f"Hello {name},\n\nsomething unusual was noticed about your API key {key}: {why}."
        f" As you chose for such a case, it was {done}.{_see(link)}"
    )
    return Letter(to, f"Your API key {key} was {done}", text)


def leaked(to: str, name: str, *, what: str, where: str, done: str, link: str) -> Letter:
    """Tell that a secret was found where others can read it, where, and what was done."""
    text = (
        f"Hello {name},\n\nthe secret of your {what} was found where others can read it.\n\n"
        f"{where}\n\n{done}{_see(link)}"
    )
    return Letter(to, f"Your {what} has leaked", text)


def _see(link: str) -> str:
    return f"\n\nLook at it here:\n\n{link}" if link else ""
