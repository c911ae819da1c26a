"""Repair functions whose IAM role was recreated under the same name, for example with a recreated data stack.

When a function gets a role with another ARN, Lambda allows the id of this role to decrypt the function's environment. A
recreated role has the same ARN but another id, so the function fails with "KMS access was denied" after any update.
Recreated roles are detected by a tag on each function, whose value is the id of its role.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

TAG = "latchkey-role"


class Role(NamedTuple):
    """An IAM role. A recreated role has the same ARN and another id."""

    arn: str
    id: str


def by_function(arns: Mapping[str, str]) -> dict[str, Role]:
    """Return the roles of functions, given the ARNs of the roles by function name."""
    import boto3

    iam = boto3.client("iam")
    return {
        function: Role(arn, iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]["RoleId"])
        for function, arn in arns.items()
    }


def release(roles: Mapping[str, Role], *, give: Callable[[str, str], object]) -> list[str]:
    """Assign another role to each function whose role was recreated, so that its own role can be assigned again.

    The keys of `roles` are function names. `give` assigns the role with an ARN to a function, and waits until this is
    complete. Returns the names of the functions whose role was changed. The next update of these functions must assign
    their own role and set the tag.
    """
    import boto3

    lambdas = boto3.client("lambda")
    released = [name for name, role in roles.items() if _has_recreated_role(lambdas, name, role)]
    for name in released:
        give(name, next(role.arn for role in roles.values() if role.arn != roles[name].arn))
    return released


def _has_recreated_role(lambdas: Any, name: str, role: Role) -> bool:
    try:
        function = lambdas.get_function(FunctionName=name)
    except lambdas.exceptions.ResourceNotFoundException:
        return False
    tags: dict[str, str] = function.get("Tags", {})
    return bool(function["Configuration"]["Role"] == role.arn) and tags.get(TAG) != role.id
