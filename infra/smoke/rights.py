"""Asking AWS about a stage: where the credentials may not ask, the check is left out and says which right it takes."""

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


@contextmanager
def asked(outcomes: Outcomes, check: str) -> Iterator[None]:
    """Note in a `with` block that AWS refused, or failed, to answer."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _MAY_NOT:
            outcomes.left_out(check, f"these credentials may not do {error.operation_name}")
        else:
            outcomes.differs(check, expected="an answer of AWS", got=f"{error.operation_name}: {code}")
    except BotoCoreError as error:
        outcomes.left_out(check, str(error))
