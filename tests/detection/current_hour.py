"""A key with ten days of history, and its counters of the current hour."""

from typing import Any

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import clock
from chalicelib.credentials.issue import Issued
from chalicelib.events import record
from chalicelib.limits import counter_items, tiers
from tests.detection.planted import NETWORK, item, used_for_days
from tests.support.harness import TestApp


@pytest.fixture
def key(latchkey: TestApp) -> Issued:
    """A key with 40 requests an hour from one network for ten days."""
    return used_for_days(latchkey, latchkey.account())


def owner(issued: Issued) -> Account:
    """Return the account of the key."""
    return Account.get(issued.key.account_id)


def set_current_hour(issued: Issued, *networks: str, **counted: int) -> None:
    """Store the counters of a key's current hour under the Free tier."""
    set_current_hour_under(tiers.FREE, issued, *networks, **counted)


def set_current_hour_under(tier: tiers.Tier, issued: Issued, /, *networks: str, **counted: int) -> None:
    """Store the counters of a key's current hour: requests, `denials`, `refusals` and networks."""
    counter = counter_items.counter_of(issued.key.id)
    names = {"requests": counter, "denials": f"f{counter[1:]}", "refusals": f"q{counter[1:]}"}
    counters = {names[name]: count for name, count in {"requests": 40, **counted}.items()}
    marks = dict.fromkeys((NETWORK, *networks), counter)
    item(owner(issued), clock.hour_of(clock.now_s()), counters, marks, tier)


def anomalies(issued: Issued) -> list[dict[str, Any]]:
    """Return the recorded anomalies of a key's account."""
    events = record.newest_first(issued.key.account_id, 50)
    return [{"type": event.type, **event.changed.as_dict()} for event in events if event.type.startswith("anomaly.")]
