"""Handle errors of AWS calls: a missing permission skips the check, and the result names the IAM action."""

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
"""The action in AWS's AccessDenied message."""


@contextmanager
def asked(outcomes: Outcomes, check: str) -> Iterator[None]:
    """Record AWS errors that a `with` block raises."""
    try:
        yield
    except BotoCoreError as error:
        outcomes.left_out(check, _without(missing(error)) if missing(error) else str(error))
    except ClientError as error:
        got = f"{error.operation_name}: {error.response['Error']['Code']}"
        note(outcomes, check, error, expected="an answer of AWS", got=got)


def note(outcomes: Outcomes, check: str, error: Exception, *, expected: str, got: str) -> None:
    """Skip a check when a permission is missing; for any other error record the expected and the actual value."""
    if right := missing(error):
        outcomes.left_out(check, _without(right))
    else:
        outcomes.differs(check, expected=expected, got=got)


def missing(error: Exception) -> str:
    """Return the IAM action that is missing, "" for any other error."""
    named = _RIGHT.search(str(error))
    if named:
        return named[1]
    is_denial = isinstance(error, ClientError) and error.response["Error"]["Code"] in _MAY_NOT
    return getattr(error, "operation_name", "") if is_denial else ""


def _without(right: str) -> str:
    return f"these credentials may not do {right}"
