"""The access log. Each request gets one JSON line, which also contains the request's metrics in CloudWatch's embedded
metric format (EMF).
"""

from chalicelib.api.request_context import RequestContext
from chalicelib.core import telemetry


def write(context: RequestContext, decision: str, status: int) -> None:
    """Write the log line of a request."""
    caller, metrics = context.caller, {"Requests": 1, "Latency": context.took_ms, **context.counted}
    if status == 429:
        metrics["Refusals"] = 1
    if status == 401:
        metrics["Unauthorized"] = 1
    if status >= 500:
        metrics["Faults"] = 1
    telemetry.log_metrics(
        "request",
        metrics,
        tier=context.left.tier.name if context.left else "nobody",
        decision=decision,
        request_id=context.id,
        route=context.route,
        status=status,
        account_id=caller.account_id if caller else None,
        credential_id=caller.credential_id if caller else None,
    )
