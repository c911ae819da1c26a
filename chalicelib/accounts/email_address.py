"""Parse and normalise email addresses: decide which spellings are the same address, and where to send its email.

Local parts are compared in NFC and lower case. Domains are compared by UTS 46 without transitional mappings, as
browsers do. Neither comparison replaces the letter ß: `weiß@` and `weiss@` are different addresses, and so are
addresses at `faß.example` and `fass.example`.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from chalicelib.core import errors

LENGTH_MAX, LOCAL_LENGTH_MAX = 254, 64
"""Maximum lengths of an address and of its local part, in octets (RFC 5321 §4.5.3.1)."""
_LOCAL = re.compile(r"[^\s@<>\"(),:;\\\[\]]+")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?![0-9]+\Z)[a-z0-9][a-z0-9-]{0,61}[a-z0-9]")
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Invisible characters whose Unicode category is a letter, a mark or a symbol."""


@dataclass(frozen=True, slots=True)
class Address:
    """An email address: `claim` is the normalised form, unique to an account; `mailbox` is the form to send to."""

    claim: str
    mailbox: str


def parse(address: str) -> Address:
    """Return the parsed address; the domains of its claim and its mailbox are in ASCII.

    Raises InvalidRequest when the address is invalid. Stricter than RFC 5321: no quoted local parts, no address
    literals. Stricter than RFC 6531: no invisible characters in the local part.
    """
    invalid = errors.InvalidRequest("email must be an address like name@example.com.").about("email")
    text = address.strip()
    # Check the length first, because the time of the checks below is proportional to it.
    if len(text) > LENGTH_MAX:
        raise invalid
    local, _, typed_domain = text.rpartition("@")
    # Normalise before the claim and the mailbox are derived, so that they agree: NFC turns U+212A, the Kelvin sign,
    # into the letter K.
    local = unicodedata.normalize("NFC", local)
    domain = _ascii_domain(typed_domain)
    claim, mailbox = f"{unicodedata.normalize('NFC', local.lower())}@{domain}", f"{local}@{domain}"
    if not domain or not _is_local_part(local) or max(_octets(claim), _octets(mailbox)) > LENGTH_MAX:
        raise invalid
    return Address(claim, mailbox)


def claim_of(address: str) -> str:
    """Return the claim of an address; raise InvalidRequest when it is invalid."""
    return parse(address).claim


def claim_prefix(text: str) -> str:
    """Return the prefix of the claims of all addresses that begin with `text`."""
    local, at, domain = text.strip().partition("@")
    return unicodedata.normalize("NFC", local.lower()) + at + (_ascii_domain(domain) or domain.lower())


def pseudo_claim(text: str) -> str:
    """Return a claim for a text that is not a valid address, so that log-in attempts with this text can be counted.

    The claim contains a space, unlike the claim of an address, and its text is truncated to the maximum length of an
    address.
    """
    return f"no address {text.strip()[:LENGTH_MAX].lower()}"


def hash_claim(claim: str) -> str:
    """Return the hash of a claim, so that attempts can be counted without storing addresses that have no account."""
    return hashlib.sha256(claim.encode(errors="surrogatepass")).hexdigest()[:32]


def _is_local_part(local: str) -> bool:
    # A mail server may normalise by NFKC, which turns a full-width @ into a delimiter.
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
    """Return a domain in lower case, with international labels as A-labels (RFC 5890); "" when it is invalid."""
    if domain.isascii() and "xn--" not in domain.lower():
        ascii_form = domain.lower()
    else:
        # `idna` is imported here because its tables are large and rarely needed. The standard library's IDNA 2003 would
        # map `faß` to `fass`.
        import idna

        try:
            # The STD 3 rules aren't needed, because `_DOMAIN` enforces them on the result.
            ascii_form = idna.encode(domain, uts46=True).decode()
        except UnicodeError:
            return ""
    return ascii_form if _DOMAIN.fullmatch(ascii_form) else ""


def _octets(text: str) -> int:
    return len(text.encode())
