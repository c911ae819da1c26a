"""Measure an authorized `GET /v1/limits` in a warm function, from API Gateway's event to the response.

The authorizer isn't included, since API Gateway caches its policy; the access log line is. The callers are Pro
accounts, enough of them that none reaches its limits.
"""

from typing import Any

from app import app
from chalicelib.limits.tiers import PRO
from infra.bench import latchkey
from infra.bench.contender import Work, serve
from infra.local_gateway.lambda_context import LambdaContext


def main() -> None:
    """Measure requests."""
    with latchkey.ready() as calls:
        events = [latchkey.limits_event(caller.secret) for caller in latchkey.callers(PRO)]
        context: Any = LambdaContext("latchkey-bench", "bench")

        def operate(number: int) -> bool:
            response: dict[str, Any] = app(events[number % len(events)], context)
            return bool(response["statusCode"] == 200)

        serve(Work(operate, calls=calls))


if __name__ == "__main__":
    main()
