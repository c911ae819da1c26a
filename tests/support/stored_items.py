"""Checks of the items that a test has stored: events have all documented fields, and no item is deleted early.

The checks run after every test that uses the app on moto.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from chalicelib.events import kinds
from infra.webhook_events import EXAMPLES, SESSION

GUIDE = Path(__file__).parents[2] / "docs" / "authentication.md"
WORDS_FOR_VALUES = ("told", "narrowed", "revoked", "account", "gone", "failing", "reason")
"""Values that the guide's table of events shows in code spans beside the names of fields."""
NOT_ALWAYS = {
    "account.standing_changed": {"tier", "status"},
    "key.leaked": {"url", "source"},
    "anomaly.new_network": {"known"},
}
"""Fields that an event type may omit."""
ONE_OF = ({"key", "token"}, {"key", "application"})
OF_USERS = {
    kinds.USER_CREATED: {},
    kinds.USER_RENAMED: {"name": "Ada Lovelace"},
    kinds.USER_DELETED: {},
    kinds.ADMIN_CHANGED: {"admin": "yes"},
    kinds.PASSWORD_CHANGED: {},
    kinds.PASSWORD_LINK_MADE: {},
    kinds.EMAIL_CHANGED: {},
    kinds.EMAIL_VERIFIED: {},
    kinds.LOGGED_IN: {"session": SESSION},
    kinds.SESSION_ENDED: {"session": SESSION},
    kinds.SESSIONS_ENDED: {},
}
"""Examples of the fields of a user's events, which docs/webhook-events.md doesn't show, because no webhook has them."""
OF_ANY_FORM = {"name", "host", "url", "source"}
"""Fields whose text may have any form."""
ENDS = ("expires_at", "retires_at", "revoked_at")


@lru_cache(maxsize=1)
def documented() -> dict[str, list[str]]:
    """Return the documented fields of each event type."""
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (.*) \|$", GUIDE.read_text(), re.MULTILINE)
    return {
        kind: [word for word in re.findall(r"`(\w+)`", says) if word not in WORDS_FOR_VALUES] for kind, says in rows
    }


def check(tables: Iterable[Any], *, made_up: bool = False) -> None:
    """Check all items in moto's `tables`; `made_up` exempts events, because the test itself has stored them."""
    for table in tables:
        for item in table.all_items():
            stored = {name: value.value for name, value in item.attrs.items()}
            is_event = table.name.endswith("-events") and "type" in stored
            faults = list(_field_faults(stored)) if is_event and not made_up else []
            faults += _early_deletion(stored)
            assert faults == [], f"{table.name}: {faults}: {stored}"


def _field_faults(event: dict[str, Any]) -> Iterator[str]:
    """Return the missing and the undocumented fields of an event."""
    kind = event["type"]
    fields = set(documented()[kind])
    recorded, wanted = set(event.get("changed", {})), fields - NOT_ALWAYS.get(kind, set())
    for either in ONE_OF:
        if wanted >= either:
            wanted -= either
            if len(recorded & either) != 1:
                yield f"{kind} has {sorted(recorded & either)} of {sorted(either)}"
    yield from (f"{kind} lacks {name}" for name in sorted(wanted - recorded))
    yield from (f"{kind} has {name}, which isn't documented" for name in sorted(recorded - fields))
    yield from _unlike_its_example(kind, event.get("changed", {}))


def _unlike_its_example(kind: str, recorded: dict[str, Any]) -> Iterator[str]:
    """Return the fields whose form differs from that in docs/webhook-events.md."""
    shown = OF_USERS[kind] if kinds.is_of_user(kind) else EXAMPLES[kind][1]
    for name in sorted(recorded.keys() & shown.keys() - OF_ANY_FORM):
        value = getattr(recorded[name], "value", recorded[name])
        is_document = name == "application" and value.startswith("https://")
        if form_of(value) != form_of(shown[name]) and not is_document:
            yield f"{kind} has {name} as {value!r}, its example as {shown[name]!r}"


def form_of(text: str) -> str:
    """Return the form of a value: the prefix of an id, or `time`, `number` or `text`."""
    found = re.fullmatch(r"([a-z]{3}_)[0-9A-Za-z]+|(\d{4}-\d\d-\d\dT[\d:]{8}Z)|(\d+)", text)
    return found[1] or ("time" if found[2] else "number") if found else "text"


def _early_deletion(item: dict[str, Any]) -> Iterator[str]:
    """Return a fault if DynamoDB may delete an item before the item expires."""
    ends = [int(item[name]) for name in ENDS if name in item]
    if "dies_at" in item and ends and int(item["dies_at"]) < min(ends) // 1000:
        yield f"may be deleted at {item['dies_at']}, before {min(ends)}"
