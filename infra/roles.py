"""Roles of a stage's functions that were recreated under the same name, as by another data stack.

Lambda grants the decryption of a function's environment to the role's id, when the function gets
a role with another ARN. A recreated role has the same ARN and another id, so its function fails with "KMS
access was denied" after any update. Each function is tagged with the id of its role.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

TAG = "latchkey-role"


class Role(NamedTuple):
    """A role; a recreated one has the same ARN and another id."""

    arn: str
    id: str


def by_function(arns: Mapping[str, str]) -> dict[str, Role]:
    """Return the roles with these ARNs, by function name."""
    import boto3

    iam = boto3.client("iam")
    return {
        function: Role(arn, iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]["RoleId"])
        for function, arn in arns.items()
    }


def release(roles: Mapping[str, Role], *, give: Callable[[str, str], object]) -> list[str]:
    """Assign another role to each function whose role was recreated, so that its own can be assigned again.

    `roles` are by function name; `give` assigns the role with an ARN to a function and waits. Returns
    the names of those functions; their next update must assign their own role, and the tag.
    """
    import boto3

    lambdas = boto3.client("lambda")
    released = [name for name, role in roles.items() if _had_another(lambdas, name, role)]
    for name in released:
        give(name, next(role.arn for role in roles.values() if role.arn != roles[name].arn))
    return released


def _had_another(lambdas: Any, name: str, role: Role) -> bool:
    try:
        function = lambdas.get_function(FunctionName=name)
    except lambdas.exceptions.ResourceNotFoundException:
        return False
    tags: dict[str, str] = function.get("Tags", {})
    return bool(function["Configuration"]["Role"] == role.arn) and tags.get(TAG) != role.id
