"""`make reference`: write docs/webhook-events.md, which has an example of each webhook message.

The product's code renders the messages from the example events in `EXAMPLES`. Tests compare the stored events with
these examples (`tests/support/stored_items.py`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chalicelib.core import clock
from chalicelib.events import actors, kinds
from chalicelib.events.tables import Event
from chalicelib.webhooks import payload

PAGE = Path(__file__).parents[1] / "docs" / "webhook-events.md"
AT_MS = 1_640_000_000_000
LATER = clock.iso(AT_MS + 3_600_000)
_ID = "0V5kqWn4Zr8TfYb2LcXd"
SESSION, KEY, APPLICATION = f"ses_{_ID}", f"key_{_ID}", f"app_{_ID}"
_A_KEY = {"key": KEY, "name": "CI pipeline"}
_AN_APPLICATION = {"application": APPLICATION, "name": "Photos"}
_A_GRANT = {"grant": f"gra_{_ID}", "application": APPLICATION, "scopes": "read write"}
_A_WEBHOOK = {"webhook": f"whk_{_ID}", "name": "Ledger", "host": "example.com"}
_A_MEMBER = {"user": f"usr_{_ID}", "role": "developer"}
_A_QUOTA = {"tier": "free", "quota": "1000", "resets_at": LATER}

_INTRODUCTION = """\
An example of each message that a [webhook](webhooks.md) is sent, by what it is about. A message is sent as one line of
compact JSON; `data` is the event as [`GET /v1/events`](authentication.md#events) shows it. The table there says
what each field of `changed` is; all of them are strings.
"""

EXAMPLES: dict[str, tuple[str, dict[str, str]]] = {
    kinds.ACCOUNT_CREATED: (actors.ANONYMOUS, {"tier": "free"}),
    kinds.ACCOUNT_RENAMED: (SESSION, {"name": "Ada Lovelace"}),
    kinds.STANDING_CHANGED: (f"usr_{_ID[::-1]}", {"tier": "pro", "status": "active"}),
    kinds.ACCOUNT_DELETED: (SESSION, {}),
    kinds.MEMBER_JOINED: (SESSION, _A_MEMBER),
    kinds.MEMBER_ROLE_CHANGED: (SESSION, _A_MEMBER | {"role": "admin"}),
    kinds.MEMBER_REMOVED: (SESSION, _A_MEMBER),
    kinds.INVITATION_CREATED: (SESSION, {"invitation": f"inv_{_ID}", "role": "developer"}),
    kinds.INVITATION_WITHDRAWN: (SESSION, {"invitation": f"inv_{_ID}", "role": "developer"}),
    kinds.KEY_CREATED: (SESSION, _A_KEY | {"scopes": "read write"}),
    kinds.KEY_RENAMED: (SESSION, _A_KEY),
    kinds.KEY_NARROWED: (SESSION, {"key": KEY, "scopes": "read"}),
    kinds.KEY_ROTATED: (KEY, {"key": KEY, "successor": f"key_{_ID[::-1]}", "ends_at": LATER}),
    kinds.KEY_REVOKED: (SESSION, _A_KEY),
    kinds.KEY_POLICY_CHANGED: (SESSION, {"key": KEY, "on_anomaly": "revoke"}),
    kinds.KEY_LEAKED: (
        actors.DETECTION,
        _A_KEY
        | {"source": "commit", "url": "https://github.com/octocat/Hello-World/blob/main/settings.py"}
        | {"public": "yes", "acted": "revoked"},
    ),
    kinds.APPLICATION_CREATED: (SESSION, _AN_APPLICATION),
    kinds.APPLICATION_CHANGED: (SESSION, _AN_APPLICATION),
    kinds.APPLICATION_SECRET_ROTATED: (SESSION, _AN_APPLICATION),
    kinds.APPLICATION_DELETED: (SESSION, _AN_APPLICATION),
    kinds.GRANT_CREATED: (SESSION, _A_GRANT | {"name": "Photos"}),
    kinds.GRANT_REVOKED: (SESSION, _A_GRANT),
    kinds.REUSE_DETECTED: (APPLICATION, _A_GRANT),
    kinds.TOKEN_REVOKED: (APPLICATION, {"token": f"tok_{_ID}", "application": APPLICATION}),
    kinds.CONSENT_REMEMBERED: (SESSION, {"application": APPLICATION, "scopes": "read write"}),
    kinds.CONSENT_WITHDRAWN: (SESSION, {"application": APPLICATION}),
    kinds.WEBHOOK_CREATED: (SESSION, _A_WEBHOOK),
    kinds.WEBHOOK_CHANGED: (SESSION, _A_WEBHOOK),
    kinds.WEBHOOK_SECRET_ROTATED: (SESSION, _A_WEBHOOK),
    kinds.WEBHOOK_DISABLED: (actors.SYSTEM, _A_WEBHOOK | {"because": "failing"}),
    kinds.WEBHOOK_ENABLED: (SESSION, _A_WEBHOOK),
    kinds.WEBHOOK_DELETED: (SESSION, _A_WEBHOOK),
    kinds.NEW_NETWORK: (actors.DETECTION, _A_KEY | {"hour": clock.iso(AT_MS), "networks": "1", "known": "3"}),
    kinds.UNUSUAL_TRAFFIC: (actors.DETECTION, _A_KEY | {"hour": clock.iso(AT_MS), "requests": "9000", "usual": "120"}),
    kinds.MANY_DENIALS: (actors.DETECTION, _A_KEY | {"hour": clock.iso(AT_MS), "denials": "400", "most_before": "2"}),
    kinds.MANY_REFUSALS: (
        actors.DETECTION,
        _A_KEY | {"hour": clock.iso(AT_MS), "refusals": "700", "most_before": "10"},
    ),
    kinds.QUOTA_NEARLY_SPENT: (KEY, _A_QUOTA | {"used": "800"}),
    kinds.QUOTA_SPENT: (KEY, _A_QUOTA | {"used": "1000"}),
}
"""The actor and the changed fields in the example for each type of an account's events. No webhook receives those of a
user.
"""
_NOWHERE = (actors.DETECTION, actors.SYSTEM, actors.OPERATOR)
"""Actors without a client address."""


def example(kind: str) -> str:
    """Return the webhook message of an event type."""
    actor, changed = EXAMPLES[kind]
    address = None if actor in _NOWHERE else "203.0.113.7"
    event = Event(
        f"acc_{_ID}", f"evt_{_ID}", type=kind, at=AT_MS, actor=actor, source_ip=address, changed=dict(changed)
    )
    # The quota is the account's, so its events name the key that used it up, but no user.
    event.user_id = f"usr_{_ID}" if actor in (SESSION, KEY) and not kind.startswith("quota.") else None
    return payload.of_event(event)


def page() -> str:
    """Return the text of docs/webhook-events.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Webhook events"
    yield from ("", "<!-- Printed by `make reference` from the code; what is changed here by hand is lost. -->", "")
    yield from _INTRODUCTION.splitlines()
    for subject, types in kinds.by_subject().items():
        yield from ("", f"## {subject}")
        for kind, words in types.items():
            yield from ("", f"### `{kind}`", "", f"{words}.", "", "```json")
            yield from (*_spread(json.loads(example(kind))), "```")


def _spread(told: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a message as JSON, with one line for each field of its event."""
    *first, last = (f"    {_field(*each)}" for each in told.pop("data").items())
    yield from ("{", *(f"  {_field(*each)}," for each in told.items()), '  "data": {')
    yield from (*(f"{field}," for field in first), last, "  }", "}")


def _field(name: str, value: object) -> str:
    return f"{json.dumps(name)}: {json.dumps(value)}"
