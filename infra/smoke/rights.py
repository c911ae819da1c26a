"""Asking AWS about a stage: where the credentials may not ask, the check is left out and names the right it takes."""

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
"""How AWS names an action in a denial."""


@contextmanager
def asked(outcomes: Outcomes, check: str) -> Iterator[None]:
    """Note in a `with` block that AWS refused, or failed, to answer."""
    try:
        yield
    except BotoCoreError as error:
        outcomes.left_out(check, _without(missing(error)) if missing(error) else str(error))
    except ClientError as error:
        got = f"{error.operation_name}: {error.response['Error']['Code']}"
        note(outcomes, check, error, expected="an answer of AWS", got=got)


def note(outcomes: Outcomes, check: str, error: Exception, *, expected: str, got: str) -> None:
    """Leave a check out where a right was missing; for any other error say what was expected and what came."""
    if right := missing(error):
        outcomes.left_out(check, _without(right))
    else:
        outcomes.differs(check, expected=expected, got=got)


def missing(error: Exception) -> str:
    """Return the right that AWS says is missing, as IAM calls it; "" for any other error."""
    named = _RIGHT.search(str(error))
    if named:
        return named[1]
    is_denial = isinstance(error, ClientError) and error.response["Error"]["Code"] in _MAY_NOT
    return getattr(error, "operation_name", "") if is_denial else ""


def _without(right: str) -> str:
    return f"these credentials may not do {right}"
