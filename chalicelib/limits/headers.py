"""The rate-limit headers of a response. GET /v1/limits returns the same numbers."""

from dataclasses import dataclass

from chalicelib.core import settings
from chalicelib.limits.counter_items import Window
from chalicelib.limits.tiers import Tier


@dataclass(frozen=True, slots=True)
class Allowance:
    """The remaining quota and burst, and the times (ms) at which they reset."""

    tier: Tier
    quota_left: int
    burst_left: int
    now_ms: int
    quota_resets_ms: int
    burst_resets_ms: int
    crossed: tuple[str, ...] = ()
    """The quota thresholds that were reached with this admission (see `quota_thresholds`)."""

    @property
    def limit(self) -> int:
        """Return the limit in the headers: the hourly quota, or the burst limit if there is no quota."""
        return self.tier.burst if self.tier.quota is None else self.tier.quota

    @property
    def remaining(self) -> int:
        """Return how many requests of `limit` remain."""
        return self.burst_left if self.tier.quota is None else self.quota_left

    @property
    def reset_s(self) -> int:
        """Return the epoch second in which `limit` resets."""
        return (self.burst_resets_ms if self.tier.quota is None else self.quota_resets_ms) // 1000


def allowance(window: Window, *, used: int, burst_used: int, crossed: tuple[str, ...] = ()) -> Allowance:
    """Return the remaining allowance in `window`, given the usage of the hour (`used`) and of the burst window."""
    tier = window.tier
    return Allowance(
        tier=tier,
        quota_left=0 if tier.quota is None else max(0, tier.quota - used),
        burst_left=max(0, tier.burst - burst_used),
        now_ms=window.now_ms,
        quota_resets_ms=window.hour_ends_ms,
        burst_resets_ms=window.slot_ends_ms,
        crossed=crossed,
    )


def seconds_until(at_ms: int, now_ms: int) -> int:
    """Return the whole seconds from `now_ms` to `at_ms`, rounded up."""
    return max(0, -(-(at_ms - now_ms) // 1000))


def headers(left: Allowance) -> dict[str, str]:
    """Return the X-RateLimit headers and those of draft-ietf-httpapi-ratelimit-headers."""
    hour = f'"hour";q={left.tier.quota};w=3600, ' if left.tier.quota is not None else ""
    hour_left = f'"hour";r={left.quota_left};t={seconds_until(left.quota_resets_ms, left.now_ms)}, ' if hour else ""
    return {
        "X-RateLimit-Limit": str(left.limit),
        "X-RateLimit-Remaining": str(left.remaining),
        "X-RateLimit-Reset": str(left.reset_s),
        "RateLimit-Policy": f'{hour}"burst";q={left.tier.burst};w={settings.current().burst_window_s}',
        "RateLimit": f'{hour_left}"burst";r={left.burst_left};t={seconds_until(left.burst_resets_ms, left.now_ms)}',
    }


NO_LIMITS = {
    "X-RateLimit-Limit": "0",
    "X-RateLimit-Remaining": "0",
    "X-RateLimit-Reset": "0",
}
"""The headers of a response, such as a 401, for which no limit was counted."""

NAMES = (*NO_LIMITS, "RateLimit-Policy", "RateLimit", "Retry-After")
"""The names of all rate-limit headers, for Access-Control-Expose-Headers."""
