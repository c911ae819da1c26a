"""The roles of a stage's functions, when one was made anew under the name that it had, as with another data stack.

Lambda has the decryption of a function's environment granted to the role by its id, and does so when the function gets
a role with another ARN. A role that was made anew has the same ARN and another id, so its function fails with "KMS
access was denied" whatever it is updated with. Each function is tagged with the id of the role that it was given.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

TAG = "latchkey-role"


class Role(NamedTuple):
    """A role as it stands: another one of the same name has the same ARN and another id."""

    arn: str
    id: str


def by_function(arns: Mapping[str, str]) -> dict[str, Role]:
    """Return the roles that have these ARNs, by the names of the functions that they are for."""
    import boto3

    iam = boto3.client("iam")
    return {
        function: Role(arn, iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]["RoleId"])
        for function, arn in arns.items()
    }


def release(roles: Mapping[str, Role], *, give: Callable[[str, str], object]) -> list[str]:
    """Give each function that has a role from before it was made anew another's, so that it can get its own again.

    `roles` are known by the functions' names; `give` gives a function the role with an ARN and waits for it. Returns
    the names of those functions; whatever updates one next must give it its own role, and the tag.
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
