"""Check the values of the commands' make variables against one table, before a command does anything.

Surrounding spaces are removed, and an empty value is treated like a missing one.
"""

import re
import unicodedata
from collections.abc import Collection
from urllib.parse import urlsplit

from chalicelib.accounts import email_address
from chalicelib.core import errors, ids
from chalicelib.credentials import scopes
from chalicelib.limits import tiers
from chalicelib.uptime import states
from infra.failed import Mistake, quoted
from infra.takes import Takes, matching, one_of

STAGES = ("dev", "prod")
LOCAL = "local"
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""The retention periods (days) that CloudWatch Logs supports."""
SECRETS = ("ADMIN_KEY",)
"""The variables whose values error messages must not quote."""
REASON_MAX, TITLE_MAX, TEXT_MAX, NAME_MAX, OUT_MAX = 200, 100, 2_000, 100, 1_000
"""The maximum lengths of values, in characters."""


def given(name: str, value: str) -> str:
    """Return a variable's value without surrounding spaces. Raises Mistake, with the valid values, if it is invalid."""
    text = value.strip()
    hidden = TAKES[name].hidden(text)
    if hidden:
        raise Mistake(f"{name} has an unprintable character: U+{ord(hidden):04X}. Remove it.")
    if text and not TAKES[name].fits(text):
        what = "" if name in SECRETS else f", not {quoted(text)}"
        raise Mistake(f"{name} takes {TAKES[name].words}{what}.")
    return text


def stage(command: str, value: str, *, known: Collection[str] = STAGES) -> str:
    """Return the name of a stage. Raises Mistake, with the valid stages, for an unknown stage."""
    text = value.strip()
    if text not in known:
        wrong = f"There is no stage {quoted(text)}. Choose one" if text else "Choose a stage"
        raise Mistake(f"{wrong}: make {command} STAGE={'|'.join(STAGES)}")
    return text


def _some_of(words: Collection[str]) -> Takes:
    return Takes(f"some of {', '.join(words)}", lambda text: set() < set(text.replace(",", " ").split()) <= set(words))


def _text(most: int, *, besides: str = "") -> Takes:
    """Accept printable characters and those in `besides`. The XML feed of the status page can't contain others."""

    def hidden(text: str) -> str:
        for each in text:
            if not (each.isprintable() or each in besides or unicodedata.category(each) == "Zs"):
                return each
        return ""

    return Takes(f"at most {most:,} characters", lambda text: len(text) <= most, hidden)


def _is_email(text: str) -> bool:
    try:
        email_address.parse(text)
    except errors.InvalidRequest:
        return False
    return True


def _is_url(text: str) -> bool:
    """Return whether a value is a base URL, without a query, a fragment or a user."""
    try:
        parts = urlsplit(text)
        host, is_port = parts.hostname or "", parts.port != 0
    except ValueError:
        return False
    is_host = ":" in host or all(0 < len(label) < 64 for label in host.rstrip(".").split("."))
    is_bare = not any(each in text for each in "?#@")
    return parts.scheme in ("http", "https") and is_host and is_port and is_bare and _is_visible(text)


def _is_visible(text: str) -> bool:
    return re.fullmatch("[!-~]+", text) is not None


def _is_receiver(text: str) -> bool:
    return _is_url(text.partition("?")[0]) and _is_visible(text)


def _is_client(text: str) -> bool:
    return ids.is_id(text, "app") or (text.startswith("https://") and _is_visible(text))


TAKES = {
    "ACCOUNT": Takes("an account's id, like acc_…", lambda text: ids.is_id(text, "acc")),
    "ADMIN_KEY": matching("the key alone, in one line, as printed when it was created", "[!-~]{1,500}"),
    "ALARM_EMAIL": matching(
        "an address, like you@example.com, or none to send alarms to no address",
        r"none|(?=.{3,254}\Z)[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+",
    ),
    "BOUNDARY": matching(
        "the ARN of a policy, like arn:aws:iam::123456789012:policy/latchkey-boundary, or none to remove it",
        r"none|arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[!-~]{1,640}",
    ),
    "CERTIFICATE": matching(
        "the ARN of a certificate of us-east-1, like arn:aws:acm:us-east-1:123456789012:certificate/1234",
        r"arn:[a-z-]+:acm:us-east-1:[0-9]{12}:certificate/[!-~]{1,200}",
    ),
    "CLIENT_ID": Takes("an application's id, like app_…, or its https URL", _is_client),
    "COMPONENTS": _some_of(states.COMPONENTS),
    "DATA": one_of("keep", "delete"),
    "DOMAIN": matching(
        "a lower-case domain name, like api.example.com",
        r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]",
    ),
    "EMAIL": Takes("an address, like name@example.com", _is_email),
    "ID": Takes("the id printed when the incident was opened, like inc_…", lambda text: ids.is_id(text, "inc")),
    "LOG_DAYS": Takes(", ".join(map(str, LOG_DAYS)), lambda text: text in map(str, LOG_DAYS)),
    "MINUTES": matching("a number above 0, like 10", r"(?=.*[1-9])[0-9]{1,6}(\.[0-9]{1,6})?"),
    "NAME": _text(NAME_MAX),
    "OUT": _text(OUT_MAX),
    "REASON": _text(REASON_MAX),
    "RECEIVER": Takes("a URL that responds with 2xx, like https://example.com/hook", _is_receiver),
    "ROUNDS": matching("a number from 1", "[1-9][0-9]{0,5}"),
    "SCOPES": _some_of(scopes.ALL),
    "SEED": matching("a number", "[0-9]{1,18}"),
    "STATE": one_of(*states.INCIDENT_STATES),
    "TEXT": _text(TEXT_MAX, besides="\n"),
    "TIER": one_of(*(tier.name for tier in tiers.OF_ACCOUNTS)),
    "TITLE": _text(TITLE_MAX),
    "URL": Takes("the address of the API, like https://api.example.com", _is_url),
}
"""The rules by variable, except for STAGE and for switches such as ALL. The Makefile handles switches."""
