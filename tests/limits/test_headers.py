"""The values of the rate-limit headers."""

import pytest

from chalicelib.limits.counter_items import window_at
from chalicelib.limits.headers import NAMES, NO_LIMITS, allowance, headers, seconds_until
from chalicelib.limits.tiers import ENTERPRISE, FREE, Tier
from tests.support.harness import START_MS, TestApp


def build_headers(tier: Tier, after_ms: int, *, used: int, burst_used: int) -> dict[str, str]:
    """Return the headers of a response at a given remaining quota and burst."""
    return headers(allowance(window_at("acc_1", tier, START_MS + after_ms), used=used, burst_used=burst_used))


def test_headers_describe_the_quota(latchkey: TestApp) -> None:
    """The X-RateLimit headers describe the hour, and the IETF headers describe the hour and the second."""
    assert build_headers(FREE, 1_800_250, used=250, burst_used=10) == {
        "X-RateLimit-Limit": "1000",
        "X-RateLimit-Remaining": "750",
        "X-RateLimit-Reset": str(START_MS // 1000 + 3600),
        "RateLimit-Policy": '"hour";q=1000;w=3600, "burst";q=50;w=1',
        "RateLimit": '"hour";r=750;t=1800, "burst";r=40;t=1',
    }


def test_headers_without_quota_describe_the_burst(latchkey: TestApp) -> None:
    """Enterprise has no hourly quota, so the headers describe the burst."""
    assert build_headers(ENTERPRISE, 500, used=250, burst_used=10) == {
        "X-RateLimit-Limit": "1000",
        "X-RateLimit-Remaining": "990",
        "X-RateLimit-Reset": str(START_MS // 1000 + 1),
        "RateLimit-Policy": '"burst";q=1000;w=1',
        "RateLimit": '"burst";r=990;t=1',
    }


def test_remaining_is_never_negative(latchkey: TestApp) -> None:
    """If an account's usage exceeds the quota of its new tier, the remaining number is zero."""
    shown_headers = build_headers(FREE, 0, used=5_000, burst_used=500)
    assert shown_headers["X-RateLimit-Remaining"] == "0"
    assert shown_headers["RateLimit"] == '"hour";r=0;t=3600, "burst";r=0;t=1'


def test_unauthenticated_response_has_zero_limits() -> None:
    """If no counter counted a request, all three X-RateLimit headers of the response are zero."""
    assert NO_LIMITS == {"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}


@pytest.mark.parametrize(
    ("at_ms", "now_ms", "seconds"), [(1_000, 0, 1), (1_001, 0, 2), (1, 0, 1), (0, 0, 0), (0, 5_000, 0)]
)
def test_seconds_until_are_rounded_up(at_ms: int, now_ms: int, seconds: int) -> None:
    """The seconds until a time are rounded up to a whole number, and are never negative."""
    assert seconds_until(at_ms, now_ms) == seconds


def test_limit_headers_are_exposed_by_cors(latchkey: TestApp) -> None:
    """CORS exposes all limit headers and Retry-After to scripts of other origins."""
    assert set(NAMES) == {*build_headers(FREE, 0, used=0, burst_used=0), "Retry-After"}
    assert len(NAMES) == 6


@pytest.mark.parametrize(
    ("tier", "limit", "remaining", "reset_s"),
    [(FREE, 1_000, 988, START_MS // 1000 + 3_600), (ENTERPRISE, 1_000, 996, START_MS // 1000 + 2)],
    ids=["quota", "burst"],
)
def test_limit_remaining_and_reset_describe_the_same_window(
    latchkey: TestApp, tier: Tier, limit: int, remaining: int, reset_s: int
) -> None:
    """Limit, remaining and reset describe the hour if the tier has a quota, and otherwise the burst."""
    left = allowance(window_at("acc_1", tier, START_MS + 1_999), used=12, burst_used=4)
    assert (left.limit, left.remaining, left.reset_s) == (limit, remaining, reset_s)
    assert left.quota_left == (0 if tier is ENTERPRISE else 988)
    assert left.crossed == ()
