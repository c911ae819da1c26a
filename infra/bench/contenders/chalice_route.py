"""The floor under every Chalice app: one route that asks nobody, from the gateway's event to the answer."""

from typing import Any

from infra.bench import latchkey
from infra.bench.contender import Work, serve
from infra.bench.contenders.minimal_app import app
from infra.local_gateway.lambda_context import LambdaContext


def main() -> None:
    """Serve requests."""
    event = latchkey.proxy_event("/bare", "lk_test_" + "0" * 36)
    context: Any = LambdaContext("minimal", "bench")

    def operate(_number: int) -> bool:
        answer: dict[str, Any] = app(event, context)
        return bool(answer["statusCode"] == 200)

    serve(Work(operate, calls=lambda: 0))


if __name__ == "__main__":
    main()
