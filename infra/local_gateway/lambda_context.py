"""The context object that Lambda passes to a function with each event."""

from dataclasses import dataclass


@dataclass(slots=True)
class LambdaContext:
    """The attributes of Lambda's context that Chalice reads."""

    function_name: str
    aws_request_id: str
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:latchkey"
    function_version: str = "$LATEST"

    def get_remaining_time_in_millis(self) -> int:
        """Return a constant remaining time, since a local run has no timeout."""
        return 30_000
