"""Holds what a test left in the tables to two promises: events tell all that the guide says, and nothing dies early.

It runs after every test that has a house on moto, over whatever that test's own requests stored.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from infra.webhook_events import EXAMPLES

GUIDE = Path(__file__).parents[2] / "docs" / "authentication.md"
WORDS_FOR_VALUES = ("told", "narrowed", "revoked", "account", "gone", "failing", "reason")
"""What else stands in code in the guide's table of events."""
NOT_ALWAYS = {
    "account.standing_changed": {"tier", "status", "admin"},
    "key.leaked": {"url", "source"},
    "anomaly.new_network": {"known"},
}
"""Fields that are told where there is something to tell."""
ONE_OF = ({"key", "token"}, {"key", "application"})
OF_ANY_FORM = {"name", "host", "url", "source"}
"""What somebody else has chosen."""
ENDS = ("expires_at", "retires_at", "revoked_at")


@lru_cache(maxsize=1)
def documented() -> dict[str, list[str]]:
    """Return what the guide's table says that each type of event tells of."""
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (.*) \|$", GUIDE.read_text(), re.MULTILINE)
    return {
        kind: [word for word in re.findall(r"`(\w+)`", says) if word not in WORDS_FOR_VALUES] for kind, says in rows
    }


def check(tables: Iterable[Any], *, made_up: bool = False) -> None:
    """Insist on both promises for all that moto's `tables` hold; events that a test has `made_up` promise nothing."""
    for table in tables:
        for item in table.all_items():
            stored = {name: value.value for name, value in item.attrs.items()}
            is_event = table.name.endswith("-events") and "type" in stored
            faults = list(_untold(stored)) if is_event and not made_up else []
            faults += _dying_early(stored)
            assert faults == [], f"{table.name}: {faults}: {stored}"


def _untold(event: dict[str, Any]) -> Iterator[str]:
    """Return what an event should tell and doesn't."""
    kind = event["type"]
    told, wanted = set(event.get("changed", {})), set(documented()[kind]) - NOT_ALWAYS.get(kind, set())
    for either in ONE_OF:
        if wanted >= either:
            wanted -= either
            if len(told & either) != 1:
                yield f"{kind} tells {sorted(told & either)} of {sorted(either)}"
    yield from (f"{kind} lacks {name}" for name in sorted(wanted - told))
    yield from (f"{kind} has {name}, which no guide explains" for name in sorted(told - set(documented()[kind])))
    yield from _unlike_its_example(kind, event.get("changed", {}))


def _unlike_its_example(kind: str, told: dict[str, Any]) -> Iterator[str]:
    """Return what of an event looks otherwise than in the message that the page of webhook events shows."""
    shown = EXAMPLES[kind][1]
    for name in sorted(told.keys() & shown.keys() - OF_ANY_FORM):
        value = getattr(told[name], "value", told[name])
        is_document = name == "application" and value.startswith("https://")
        if form_of(value) != form_of(shown[name]) and not is_document:
            yield f"{kind} tells {name} as {value!r}, its example as {shown[name]!r}"


def form_of(text: str) -> str:
    """Return what a value looks like: an id of a kind, a time, a number, or any text."""
    found = re.fullmatch(r"([a-z]{3}_)[0-9A-Za-z]+|(\d{4}-\d\d-\d\dT[\d:]{8}Z)|(\d+)", text)
    return found[1] or ("time" if found[2] else "number") if found else "text"


def _dying_early(item: dict[str, Any]) -> Iterator[str]:
    """Return which end of an item comes after the time from which DynamoDB may delete it."""
    ends = [int(item[name]) for name in ENDS if name in item]
    if "dies_at" in item and ends and int(item["dies_at"]) < min(ends) // 1000:
        yield f"may be deleted at {item['dies_at']}, before {min(ends)}"
