"""Password rules (NIST SP 800-63B §3.1.1): a password has 12 to 256 characters, and can't be guessed in a million
attempts.
"""

import unicodedata

from chalicelib.core import errors

LENGTH_MIN, LENGTH_MAX = 12, 256


def check_format(password: str) -> None:
    """Raise InvalidRequest when a password is too short, is too long, or can't be encoded as UTF-8."""
    if len(password) > LENGTH_MAX or len(normalise(password)) < LENGTH_MIN:
        raise errors.InvalidRequest(f"Choose a password of {LENGTH_MIN} to {LENGTH_MAX} characters.").about("password")
    try:
        password.encode()
    except UnicodeEncodeError:
        refused = errors.InvalidRequest("The password contains a character that can't be encoded as UTF-8.")
        raise refused.about("password") from None


def validate(password: str, *, email: str, name: str) -> str:
    """Return `password`; raise InvalidRequest when its format is wrong or it is too easy to guess.

    The check is slow, so callers must apply the rate limits of anonymous callers first.
    """
    from chalicelib.accounts import password_guessing

    check_format(password)
    own_words = [email, *email.split("@"), name, "".join(name.split()), *name.split()]
    if password_guessing.is_guessable(normalise(password), own_words):
        raise errors.InvalidRequest("This password is too easy to guess. Choose another.").about("password")
    return password


def normalise(password: str) -> str:
    """Return a password in NFC, the form in which it is checked and hashed (RFC 8265 §4.2.2).

    Keyboards differ in whether an é is one character or two. A password over the maximum length is returned unchanged:
    normalising many combining marks takes more than linear time.
    """
    return unicodedata.normalize("NFC", password) if len(password) <= LENGTH_MAX else password
