"""How long a fetched document may be used before it is fetched again: what its server says (RFC 9111), in bounds."""

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

from chalicelib.core import clock

LEAST_S = 5 * 60
"""However short-lived its server calls it: each look at a page must not be a fetch."""
MOST_S = 24 * 3_600
"""However long-lived its server calls it, and where it says nothing."""


def fresh_s(headers: Mapping[str, str]) -> int:
    """Return for how many seconds an answer with these headers (names in lower case) is fresh."""
    said_s = _lifetime_s(headers)
    return MOST_S if said_s is None else min(max(said_s, LEAST_S), MOST_S)


def _lifetime_s(headers: Mapping[str, str]) -> int | None:
    """Return what Cache-Control, or else Expires, says; None when neither says anything."""
    names, said = set(), []
    for name, value in _directives(headers.get("cache-control", "")):
        names.add(name)
        if name in ("max-age", "s-maxage"):
            said.append(_whole(value))
    if names & {"no-store", "no-cache"}:
        return LEAST_S
    if said:
        # Where it is said twice, the shorter holds.
        return min(said) - _whole(headers.get("age", "0"))
    return _until_expires_s(headers) if "expires" in headers else None


def _directives(text: str) -> Iterator[tuple[str, str]]:
    for each in text.split(","):
        name, _, value = each.partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def _whole(digits: str) -> int:
    """Return a number of seconds; what is none is 0, as an answer of unknown age is a stale one."""
    if not (digits.isascii() and digits.isdigit()):
        return 0
    try:
        return int(digits)
    except ValueError:  # more digits than Python reads
        return MOST_S


def _until_expires_s(headers: Mapping[str, str]) -> int:
    try:
        expires = parsedate_to_datetime(headers["expires"])
        sent_s = parsedate_to_datetime(headers["date"]).timestamp() if "date" in headers else clock.now_s()
        return int(expires.timestamp() - sent_s)
    except (ValueError, OverflowError):
        return LEAST_S
