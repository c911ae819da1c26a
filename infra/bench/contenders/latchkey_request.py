"""Measure an authorized `GET /v1/limits` in a warm function, from API Gateway's event to the response.

The measurement excludes the authorizer, whose policy API Gateway caches, and includes the access log line. The callers
are Pro accounts; there are enough of them that none reaches its limits.
"""

from typing import Any

from app import app
from chalicelib.limits.tiers import PRO
from infra.bench import latchkey
from infra.bench.contender import Work, serve
from infra.local_gateway.lambda_context import LambdaContext


def main() -> None:
    """Measure how long one request takes."""
    with latchkey.ready() as calls:
        events = [latchkey.limits_event(caller.secret) for caller in latchkey.callers(PRO)]
        context: Any = LambdaContext("latchkey-bench", "bench")

        def operate(number: int) -> bool:
            response: dict[str, Any] = app(events[number % len(events)], context)
            return bool(response["statusCode"] == 200)

        serve(Work(operate, calls=calls))


if __name__ == "__main__":
    main()
