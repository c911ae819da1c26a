"""/v1/limits: what the caller may do and what is left of it, from the admission that let this very request in."""

from typing import Any

from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.description import described
from chalicelib.api.schema.fields import Enum
from chalicelib.api.schema.shapes import Nullable, Number, Shape
from chalicelib.core import settings
from chalicelib.limits import tiers

_COUNTED = {
    "limit": Number("How many requests there may be.", 1_000),
    "remaining": Number("How many are left.", 999),
    "reset": Number("The epoch second in which all are there again.", 1_640_000_000),
}
QUOTA = Shape("Quota", "The requests of the clock hour.", _COUNTED)
BURST = Shape(
    "Burst", "The requests of one burst window.", {**_COUNTED, "window_s": Number("How many seconds it is.", 1)}
)
LIMITS = Shape(
    "Limits",
    "What the caller's account may do and what is left of it.",
    {
        "tier": Enum(tuple(tier.name for tier in tiers.OF_ACCOUNTS), description="The account's tier."),
        "quota": Nullable(QUOTA, "The hour's quota; null where the tier has none."),
        "burst": BURST,
    },
)


@described({200: LIMITS})
def show_limits(context: RequestContext) -> dict[str, Any]:
    """Show the caller's tier, quota and burst, what is left of them, and when they reset (epoch seconds)."""
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
