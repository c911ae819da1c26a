"""Expiry and state of a credential."""

from typing import Any

import pytest

from chalicelib.credentials.tables import Credential
from tests.support.harness import START_MS, TestApp

DAY_MS = 86_400_000
LATER, LATEST = START_MS + 1, START_MS + 2


@pytest.mark.parametrize(
    ("expires_at", "retires_at", "ends_at"),
    [(None, None, None), (LATER, None, LATER), (None, LATER, LATER), (LATER, LATEST, LATER), (LATEST, LATER, LATER)],
)
def test_key_expires_at_its_expiry_or_after_its_grace_period(
    expires_at: int | None, retires_at: int | None, ends_at: int | None
) -> None:
    """A key expires at its expiry or at the end of its grace period, whichever is earlier; 0 means never."""
    key = Credential("d", expires_at=expires_at, retires_at=retires_at)
    assert (key.ends_at, key.listed_end) == (ends_at, ends_at or 0)


@pytest.mark.parametrize(
    ("times", "state"),
    [
        ({}, "live"),
        ({"expires_at": LATER}, "live"),
        ({"retires_at": LATER}, "retiring"),
        ({"expires_at": LATEST, "retires_at": LATER}, "retiring"),
        ({"expires_at": START_MS}, "expired"),
        ({"retires_at": START_MS}, "expired"),
        ({"revoked_at": START_MS}, "revoked"),
        ({"revoked_at": START_MS, "expires_at": START_MS}, "revoked"),
        ({"revoked_at": START_MS, "retires_at": LATER}, "revoked"),
    ],
)
def test_state_follows_from_the_times(latchkey: TestApp, times: dict[str, Any], state: str) -> None:
    """A key is live until the millisecond of its expiry; a revoked key is revoked even if it has expired."""
    key = Credential("d", **times)
    assert key.state == state
    assert key.is_live() == (state in ("live", "retiring"))


def test_anomaly_is_shown_for_seven_days(latchkey: TestApp) -> None:
    """An anomaly of a key is shown for seven days."""
    noticed = Credential("d", unusual="a new network", unusual_at=START_MS)
    assert Credential("d").recent_anomaly is None
    latchkey.clock.now_ms += 7 * DAY_MS - 1
    assert noticed.recent_anomaly == "a new network"
    latchkey.clock.now_ms += 1
    assert noticed.recent_anomaly is None
