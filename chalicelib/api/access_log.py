"""One line of log for each request, which is its metrics too."""

from chalicelib.api.request_context import Exchange
from chalicelib.core import telemetry


def write(exchange: Exchange, decision: str, status: int) -> None:
    """Write the one line of a request, which is its metrics too."""
    caller, metrics = exchange.caller, {"Requests": 1, "Latency": exchange.took_ms, **exchange.counted}
    if status == 429:
        metrics["Refusals"] = 1
    if status == 401:
        metrics["Unauthorized"] = 1
    if status >= 500:
        metrics["Faults"] = 1
    telemetry.measured(
        "request",
        metrics,
        tier=exchange.left.tier.name if exchange.left else "nobody",
        decision=decision,
        request_id=exchange.id,
        route=exchange.route,
        status=status,
        account_id=caller.account_id if caller else None,
        credential_id=caller.credential_id if caller else None,
    )
