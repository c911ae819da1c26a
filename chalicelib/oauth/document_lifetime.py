"""Freshness lifetime of a fetched metadata document (RFC 9111 §4.2), within a minimum and a maximum."""

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

from chalicelib.core import clock

MIN_S = 5 * 60
"""The minimum lifetime. Without it, every view of a consent page could cause a fetch."""
MAX_S = 24 * 3_600
"""The maximum lifetime, and the lifetime of a response that doesn't set one."""


def freshness_s(headers: Mapping[str, str]) -> int:
    """Return for how many seconds a response with these headers (names in lower case) is fresh."""
    lifetime_s = _lifetime_s(headers)
    return MAX_S if lifetime_s is None else min(max(lifetime_s, MIN_S), MAX_S)


def _lifetime_s(headers: Mapping[str, str]) -> int | None:
    """Return the lifetime from Cache-Control, else from Expires; None when neither sets a lifetime."""
    names, ages_s = set(), []
    for name, value in _directives(headers.get("cache-control", "")):
        names.add(name)
        if name in ("max-age", "s-maxage"):
            ages_s.append(_parse_seconds(value))
    if names & {"no-store", "no-cache"}:
        return MIN_S
    if ages_s:
        # If a directive is repeated, its shortest value applies.
        return min(ages_s) - _parse_seconds(headers.get("age", "0"))
    return _until_expires_s(headers) if "expires" in headers else None


def _directives(text: str) -> Iterator[tuple[str, str]]:
    for each in text.split(","):
        name, _, value = each.partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def _parse_seconds(digits: str) -> int:
    """Return a number of seconds; 0 for malformed text, so that a response with a malformed lifetime is stale."""
    if not (digits.isascii() and digits.isdigit()):
        return 0
    try:
        return int(digits)
    except ValueError:  # raised for more digits than Python converts
        return MAX_S


def _until_expires_s(headers: Mapping[str, str]) -> int:
    try:
        expires = parsedate_to_datetime(headers["expires"])
        sent_s = parsedate_to_datetime(headers["date"]).timestamp() if "date" in headers else clock.now_s()
        return int(expires.timestamp() - sent_s)
    except (ValueError, OverflowError):
        return MIN_S
