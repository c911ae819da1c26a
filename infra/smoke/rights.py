"""Record errors of AWS calls. If a permission is missing, the check is skipped and the result names the IAM action."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from infra.smoke.outcomes import Outcomes

_MAY_NOT = (
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AuthorizationErrorException",
)
_RIGHT = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
"""The IAM action in an AccessDenied message from AWS."""


@contextmanager
def record_errors(outcomes: Outcomes, check: str) -> Iterator[None]:
    """Record AWS errors that a `with` block raises, and continue after the block."""
    try:
        yield
    except BotoCoreError as error:
        outcomes.left_out(check, _without(missing(error)) if missing(error) else str(error))
    except ClientError as error:
        got = f"{error.operation_name}: {error.response['Error']['Code']}"
        record(outcomes, check, error, expected="a response from AWS", got=got)


def record(outcomes: Outcomes, check: str, error: Exception, *, expected: str, got: str) -> None:
    """Record a check as skipped if a permission is missing; for any other error, as failed."""
    if right := missing(error):
        outcomes.left_out(check, _without(right))
    else:
        outcomes.differs(check, expected=expected, got=got)


def missing(error: Exception) -> str:
    """Return the IAM action that an error says is missing, "" for any other error."""
    named = _RIGHT.search(str(error))
    if named:
        return named[1]
    is_denial = isinstance(error, ClientError) and error.response["Error"]["Code"] in _MAY_NOT
    return getattr(error, "operation_name", "") if is_denial else ""


def _without(right: str) -> str:
    return f"these credentials lack the permission {right}"
