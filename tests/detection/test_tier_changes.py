"""A change of tier neither hides anomalies nor creates findings."""

from chalicelib.accounts.change import set_tier_and_status
from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.credentials import find
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record
from chalicelib.limits import tiers
from tests.detection.current_hour import anomalies, key, set_current_hour, set_current_hour_under
from tests.detection.planted import HOUR_S, item
from tests.support.harness import TestApp

__all__ = ["key"]


def upgrade_to_pro(issued: Issued) -> None:
    """Upgrade the key's account to Pro."""
    set_tier_and_status(issued.key.account_id, tier=tiers.PRO, status=None, actor="operator")


def test_change_of_tier_keeps_known_networks(latchkey: TestApp, key: Issued) -> None:
    """Networks seen under the old tier stay known, so that no key is revoked because of them."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    set_current_hour(key, "nWEEKLY00")
    latchkey.clock.forward(HOUR_S)
    upgrade_to_pro(key)
    for _ in range(4 * 24):
        latchkey.clock.forward(HOUR_S)
        set_current_hour_under(tiers.PRO, key)
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour_under(tiers.PRO, key, "nWEEKLY00")
    background.every_hour()
    assert anomalies(key) == []
    assert find.owned_key(key.key.account_id, key.key.id).state == "live"


def test_change_of_tier_keeps_baseline(latchkey: TestApp, key: Issued) -> None:
    """The baseline is kept after a change of tier: a new network on the next day is found."""
    upgrade_to_pro(key)
    for _ in range(24):
        latchkey.clock.forward(HOUR_S)
        set_current_hour_under(tiers.PRO, key)
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour_under(tiers.PRO, key, "nBBBBBBBB", requests=9_000, denials=500)
    background.every_hour()
    assert {found["type"] for found in anomalies(key)} == {
        kinds.NEW_NETWORK,
        kinds.UNUSUAL_TRAFFIC,
        kinds.MANY_DENIALS,
    }


def test_requests_just_before_change_of_tier_are_checked(latchkey: TestApp, key: Issued) -> None:
    """Requests just before a change of tier are checked, even if no requests follow."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, "nBBBBBBBB")
    latchkey.clock.forward(HOUR_S // 2)
    upgrade_to_pro(key)
    latchkey.clock.forward(HOUR_S // 2)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]


def test_quota_event_names_tier_it_was_counted_under(latchkey: TestApp) -> None:
    """A quota event contains the tier and the numbers under which its requests were counted."""
    account = latchkey.account()
    item(account, clock.hour_of(clock.now_s()), {"used": 1_000}, {})
    set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor="operator")
    background.every_hour()
    (spent,) = record.newest_first(account.id, 1, kind=kinds.QUOTA_SPENT)
    assert (spent.changed.as_dict()["tier"], spent.changed.as_dict()["used"]) == ("free", "1000")
