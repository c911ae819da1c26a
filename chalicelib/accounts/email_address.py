"""What counts as one email address: the form under which it is claimed and asked for, and where its mail goes.

Compared are local parts by NFC and lower case, domains by UTS 46 without transitional mappings, as browsers do. Neither
makes two letters of an ß: `weiß@` and `weiss@`, `faß.example` and `fass.example` are different people's.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from chalicelib.core import errors

LENGTH_MAX, LOCAL_LENGTH_MAX = 254, 64
"""In octets (RFC 5321 §4.5.3.1)."""
_LOCAL = re.compile(r"[^\s@<>\"(),:;\\\[\]]+")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?![0-9]+\Z)[a-z0-9][a-z0-9-]{0,61}[a-z0-9]")
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What shows nothing though it counts as a letter, a mark or a symbol."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address: `claim` is compared and claimed, `mailbox` is where mail goes, as it was typed."""

    claim: str
    mailbox: str


def parsed(address: str) -> Address:
    """Return what an address claims and where its mail goes, the domain of both in ASCII.

    Raises InvalidRequest when it can't be an address. Stricter than RFC 5321: no quoted local parts, no address
    literals; and than RFC 6531: nothing in a local part that can't be seen.
    """
    refused = errors.InvalidRequest("email must be an address like name@example.com.").about("email")
    text = address.strip()
    # Measured first: what follows must not take longer because somebody typed more.
    if len(text) > LENGTH_MAX:
        raise refused
    local, _, typed_domain = text.rpartition("@")
    # Composed before it is used for anything: U+212A, the Kelvin sign, is a K by then. Mail that went to the one and an
    # account that was claimed for the other would be two people's.
    local = unicodedata.normalize("NFC", local)
    domain = _ascii_domain(typed_domain)
    claim, mailbox = f"{unicodedata.normalize('NFC', local.lower())}@{domain}", f"{local}@{domain}"
    if not domain or not _is_local_part(local) or max(_octets(claim), _octets(mailbox)) > LENGTH_MAX:
        raise refused
    return Address(claim, mailbox)


def normalised(address: str) -> str:
    """Return the form of `address` under which it is claimed; raise InvalidRequest when it can't be an address."""
    return parsed(address).claim


def beginning(text: str) -> str:
    """Return what the claims of addresses that begin with `text` begin with."""
    local, at, domain = text.strip().partition("@")
    return unicodedata.normalize("NFC", local.lower()) + at + (_ascii_domain(domain) or domain.lower())


def as_typed(text: str) -> str:
    """Return what stands for a text that is no address, where attempts are counted by address: each by itself.

    Cut before anything is done with it, and with a space, which no claim holds: it is never counted with an address.
    """
    return f"no address {text.strip()[:LENGTH_MAX].lower()}"


def hashed(claim: str) -> str:
    """Return what stands for an address in our tables where nobody has signed up with it, such as on counters."""
    return hashlib.sha256(claim.encode(errors="surrogatepass")).hexdigest()[:32]


def _is_local_part(local: str) -> bool:
    # What looks like a delimiter, such as a full-width @, would be one to a mail server that folds it. Delimiters, dots
    # and spaces themselves stay when they are folded.
    folded = unicodedata.normalize("NFKC", local)
    return (
        _LOCAL.fullmatch(folded) is not None
        and "" not in folded.split(".")
        and not any(unicodedata.category(character).startswith("C") for character in local)
        and not unicodedata.category(local[0]).startswith("M")
        and not _INVISIBLE.search(local)
        and _octets(local) <= LOCAL_LENGTH_MAX
    )


def _ascii_domain(domain: str) -> str:
    """Return a domain as DNS knows it, in lower case and A-labels; "" when it is none."""
    if domain.isascii() and "xn--" not in domain.lower():
        ascii_form = domain.lower()
    else:
        # Imported here: its tables are large, most domains don't need them, and no request under /v1 does. The standard
        # library knows only IDNA 2003, which makes `fass` of `faß`.
        import idna

        try:
            # Not by the rules of STD 3: `_DOMAIN` holds what comes out to them.
            ascii_form = idna.encode(domain, uts46=True).decode()
        except UnicodeError:
            return ""
    return ascii_form if _DOMAIN.fullmatch(ascii_form) else ""


def _octets(text: str) -> int:
    return len(text.encode())
