"""A function's first answer: a fresh interpreter that reads an event from standard input and answers it, once.

The clock starts before the first import and stops when the answer is there. What starting the interpreter costs is
everybody's and is left out. Prints to standard error, since standard output is the function's log.
"""

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


class Context:
    """What Lambda passes beside the event."""

    function_name = "bench"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    memory_limit_in_mb = 512
    aws_request_id = "bench"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return the time that is left."""
        return 30_000


def main() -> None:
    """Answer one event by the function whose name was given, and say what that took."""
    cpu_before, began = time.process_time_ns(), time.perf_counter_ns()
    import json

    event = json.load(sys.stdin)
    answer = _answer(sys.argv[1], event)
    wall_ns, cpu_ns = time.perf_counter_ns() - began, time.process_time_ns() - cpu_before
    print(json.dumps({"wall_ns": wall_ns, "cpu_ns": cpu_ns, "answer": answer}), file=sys.stderr)


def _answer(function: str, event: "dict[str, Any]") -> "dict[str, Any]":
    context: Any = Context()
    answer: dict[str, Any]
    if function == "authorizer":
        from chalicelib.api.authorizer import authorizer

        answer = authorizer(event, context)
    elif function == "v1":
        from app import app

        answer = app(event, context)
    else:
        from infra.bench.contenders.minimal_app import app as minimal

        answer = minimal(event, context)
    return answer


if __name__ == "__main__":
    main()
