"""The roles of a stage's functions, when one was made anew under the name that it had, as with another data stack.

Lambda has the decryption of a function's environment granted to the role by its id, and does so when the function gets
a role with another ARN. A role that was made anew has the same ARN and another id, so its function fails with "KMS
access was denied" whatever it is updated with.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any


def release(functions: Mapping[str, str], *, give: Callable[[str, str], object]) -> list[str]:
    """Give each function whose role is newer than the function another's role, so that it can get its own again.

    `functions` are the roles' ARNs by the functions' names, `give` gives a function a role and waits for it. Returns
    the names of those functions; whatever updates one next must give it its own role.
    """
    import boto3

    lambdas, iam = boto3.client("lambda"), boto3.client("iam")
    released = [name for name, role in functions.items() if _is_newer(lambdas, iam, name, role)]
    for name in released:
        give(name, next(role for role in functions.values() if role != functions[name]))
    return released


def _is_newer(lambdas: Any, iam: Any, name: str, role: str) -> bool:
    try:
        function = lambdas.get_function_configuration(FunctionName=name)
    except lambdas.exceptions.ResourceNotFoundException:
        return False
    made: datetime = iam.get_role(RoleName=role.rpartition("/")[2])["Role"]["CreateDate"]
    return function["Role"] == role and made > datetime.fromisoformat(function["LastModified"])
