"""Measure a Chalice route that makes no database call, as the lower bound of every Chalice app."""

from typing import Any

from infra.bench import latchkey
from infra.bench.contender import Work, serve
from infra.bench.contenders.minimal_app import app
from infra.local_gateway.lambda_context import LambdaContext


def main() -> None:
    """Measure invocations of the route."""
    event = latchkey.proxy_event("/bare", "lk_test_" + "0" * 36)
    context: Any = LambdaContext("minimal", "bench")

    def operate(_number: int) -> bool:
        response: dict[str, Any] = app(event, context)
        return bool(response["statusCode"] == 200)

    serve(Work(operate, calls=lambda: 0))


if __name__ == "__main__":
    main()
