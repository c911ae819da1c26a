"""The route /v1/limits returns the caller's limits and what remains of them."""

import pytest

from chalicelib.limits import tiers
from tests.support.harness import START_MS, TestApp

NOON_S = START_MS // 1000


@pytest.mark.parametrize("tier", [tiers.FREE, tiers.PRO], ids=lambda tier: tier.name)
def test_limits_show_quota_and_burst(latchkey: TestApp, tier: tiers.Tier) -> None:
    """The numbers of remaining requests already count this request, and the numbers of the quota equal those in the
    headers.
    """
    latchkey.clock.forward(1800.5)
    response = latchkey.call("GET", "/v1/limits", latchkey.key(latchkey.account(tier)).secret)
    assert response.json() == {
        "tier": tier.name,
        "quota": {"limit": tier.quota, "remaining": (tier.quota or 0) - 1, "reset": NOON_S + 3600},
        "burst": {"limit": tier.burst, "remaining": tier.burst - 1, "reset": NOON_S + 1801, "window_s": 1},
    }
    assert response.header("X-RateLimit-Limit") == str(tier.quota)
    assert response.header("X-RateLimit-Remaining") == str(response.json()["quota"]["remaining"])
    assert response.header("X-RateLimit-Reset") == str(response.json()["quota"]["reset"])


def test_limits_of_enterprise_have_no_quota(latchkey: TestApp) -> None:
    """The quota of an Enterprise account is null, because it is unlimited."""
    response = latchkey.call("GET", "/v1/limits", latchkey.key(latchkey.account(tiers.ENTERPRISE)).secret)
    assert response.json() == {
        "tier": "enterprise",
        "quota": None,
        "burst": {"limit": 1000, "remaining": 999, "reset": NOON_S + 1, "window_s": 1},
    }


def test_limits_include_use_by_other_keys(latchkey: TestApp) -> None:
    """All keys of an account share its quota."""
    account = latchkey.account()
    first, second = latchkey.key(account), latchkey.key(account)
    latchkey.call("GET", "/v1/users/me", first.secret)
    assert latchkey.call("GET", "/v1/limits", second.secret).json()["quota"]["remaining"] == 998
