"""The format of secrets: `lk_<kind>_<30 base62><6 base62>`. The 30 characters are random; the last 6 are a CRC-32 of
the rest.

The checksum rejects a typo or a guess without a database call, and allows a scanner to recognise a leaked secret
offline. Security depends only on the 178 random bits. Since so many bits can't be guessed, SHA-256 is a sufficient hash
for storage.
"""

import hashlib
import re
import zlib

from chalicelib.core import randomness, settings

API_KEY_KINDS = ("live", "test")
ACCESS_TOKEN_KIND = "at"  # noqa: S105 - a kind, not a password
MAIL_LINK_KIND = "ml"
SESSION_KIND = "se"
KINDS = (*API_KEY_KINDS, ACCESS_TOKEN_KIND, "rt", "ac", "cs", "dc", SESSION_KIND, MAIL_LINK_KIND, "ra")

LENGTH_MAX = 10 + 1 + max(map(len, KINDS)) + 1 + 36
"""The length of the longest secret: the longest brand, the longest kind, and 36 characters."""
_SHAPE = re.compile(rf"[a-z][a-z0-9]*_({'|'.join(KINDS)})_[0-9A-Za-z]{{36}}")


def mint(kind: str) -> str:
    """Return a new secret of `kind`. It must be sent only once, in the response to the caller who requested it."""
    body = f"{settings.current().brand}_{kind}_{randomness.base62(30)}"
    return body + checksum(body)


def checksum(text: str) -> str:
    """Return the CRC-32 of `text` as 6 characters of base 62."""
    return randomness.to_base62(zlib.crc32(text.encode()), 6)


def kind_of(text: str) -> str | None:
    """Return the kind of a well-formed secret. None means that its format, brand or checksum is wrong."""
    if len(text) > LENGTH_MAX:
        # The length is checked first, because an anonymous caller may send as much text as a header or a body allows.
        return None
    shape = _SHAPE.fullmatch(text)
    if shape is None or not text.startswith(f"{settings.current().brand}_"):
        return None
    return shape[1] if checksum(text[:-6]) == text[-6:] else None


def find_secrets(text: str) -> list[str]:
    """Return every well-formed secret in `text`, without duplicates.

    A secret may be in quotes, at a line break, in an Authorization header or in a line of a settings file.
    """
    shape = rf"(?=({settings.current().brand}_(?:{'|'.join(KINDS)})_[0-9A-Za-z]{{36}}))"
    found = (match[1] for match in re.finditer(shape, text))
    return [secret for secret in dict.fromkeys(found) if kind_of(secret) is not None]


def digest(secret: str) -> str:
    """Return the SHA-256 of `secret` in hex. Secrets are stored only in this form.

    `secret` may be any text, even one that isn't a well-formed secret.
    """
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def preview(secret: str) -> str:
    """Return the part of `secret` that may be shown later: `lk_live_…aB3x`."""
    return f"{secret[: secret.rindex('_') + 1]}…{secret[-4:]}"
