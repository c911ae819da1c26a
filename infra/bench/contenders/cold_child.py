"""Handle one event from standard input in a new interpreter, and print how long this cold start took.

The measured time begins before the first import and ends with the response. It excludes the start of the interpreter,
which is the same for every function. The result goes to standard error, since standard output is the function's log.
"""

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


class Context:
    """The context object that Lambda passes with an event."""

    function_name = "bench"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    memory_limit_in_mb = 512
    aws_request_id = "bench"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return the remaining time, which is constant here."""
        return 30_000


def main() -> None:
    """Handle one event with the function that the argument selects, and print the elapsed time."""
    cpu_before, began = time.process_time_ns(), time.perf_counter_ns()
    import json

    event = json.load(sys.stdin)
    response = _handle(sys.argv[1], event)
    wall_ns, cpu_ns = time.perf_counter_ns() - began, time.process_time_ns() - cpu_before
    print(json.dumps({"wall_ns": wall_ns, "cpu_ns": cpu_ns, "response": response}), file=sys.stderr)


def _handle(function: str, event: "dict[str, Any]") -> "dict[str, Any]":
    context: Any = Context()
    response: dict[str, Any]
    if function == "authorizer":
        from chalicelib.api.authorizer import authorizer

        response = authorizer(event, context)
    elif function == "v1":
        from app import app

        response = app(event, context)
    else:
        from infra.bench.contenders.minimal_app import app as minimal

        response = minimal(event, context)
    return response


if __name__ == "__main__":
    main()
