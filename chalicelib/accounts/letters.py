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
