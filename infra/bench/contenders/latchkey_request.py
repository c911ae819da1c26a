"""A whole authorized `GET /v1/limits`, from the gateway's event to the answer: what a warm function does for a request.

API Gateway caches what the authorizer said, so a warm request of a verified key is this and nothing more. Its line in
the log is written, too. The callers are Pro accounts, so many that no limit of theirs is reached.
"""

from typing import Any

from app import app
from chalicelib.limits.tiers import PRO
from infra.bench import latchkey
from infra.bench.contender import Work, serve
from infra.local_gateway.lambda_context import LambdaContext


def main() -> None:
    """Serve requests."""
    with latchkey.ready() as calls:
        events = [latchkey.limits_event(caller.secret) for caller in latchkey.callers(PRO)]
        context: Any = LambdaContext("latchkey-bench", "bench")

        def operate(number: int) -> bool:
            answer: dict[str, Any] = app(events[number % len(events)], context)
            return bool(answer["statusCode"] == 200)

        serve(Work(operate, calls=calls))


if __name__ == "__main__":
    main()
