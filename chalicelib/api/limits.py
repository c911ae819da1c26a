"""/v1/limits: what the caller may do and what is left of it, from the admission that let this very request in."""

from typing import Any

from chalice.app import Blueprint

from chalicelib.api.edge import Exchange, route
from chalicelib.core import settings
from chalicelib.credentials.scopes import READ

blueprint = Blueprint(__name__)


@route(blueprint, "/v1/limits", methods=["GET"], scopes=[READ])
def show_limits(exchange: Exchange) -> dict[str, Any]:
    """Show the caller's tier, quota and burst, what is left of them, and when they reset (epoch seconds)."""
    left = exchange.left
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
