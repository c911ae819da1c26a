"""/v1/limits: the caller's limits, and how many requests remained after this one was counted."""

from typing import Any

from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.description import described
from chalicelib.api.schema.fields import Enum
from chalicelib.api.schema.shapes import Nullable, Number, Shape
from chalicelib.core import settings
from chalicelib.limits import tiers

_COUNTED = {
    "limit": Number("Allowed requests.", 1_000),
    "remaining": Number("Remaining requests.", 999),
    "reset": Number("The epoch second at which it resets.", 1_640_000_000),
}
QUOTA = Shape("Quota", "The hourly quota.", _COUNTED)
BURST = Shape("Burst", "The burst limit.", {**_COUNTED, "window_s": Number("Length of the window in seconds.", 1)})
LIMITS = Shape(
    "Limits",
    "The limits of the caller's account, and what is left of them.",
    {
        "tier": Enum(tuple(tier.name for tier in tiers.OF_ACCOUNTS), description="The account's tier."),
        "quota": Nullable(QUOTA, "The hourly quota; null if the tier has none."),
        "burst": BURST,
    },
)


@described({200: LIMITS})
def show_limits(context: RequestContext) -> dict[str, Any]:
    """Show the caller's tier, quota and burst limit, how many requests remain, and when each limit resets (epoch
    seconds).
    """
    left = context.left
    if left is None:
        raise LookupError("A view runs only after an admission.")
    quota = None
    if left.tier.quota is not None:
        quota = {"limit": left.tier.quota, "remaining": left.quota_left, "reset": left.quota_resets_ms // 1000}
    return {
        "tier": left.tier.name,
        "quota": quota,
        "burst": {
            "limit": left.tier.burst,
            "remaining": left.burst_left,
            "reset": left.burst_resets_ms // 1000,
            "window_s": settings.current().burst_window_s,
        },
    }
