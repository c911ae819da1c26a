"""Report tables and roles of the data stack that were manually deleted.

CloudFormation doesn't notice such a deletion, so no update recreates them.
"""

from collections.abc import Iterable

import boto3

ROLE = "AWS::IAM::Role"
REMEDY = 'docs/operating.md, "A table or a role is gone", has the commands that restore or recreate it.'


def roles(names: Iterable[str]) -> list[str]:
    """Return the roles that don't exist, in the form "role y"."""
    return [f"role {name}" for name in names if not _is_role(name)]


def describe(name: str, missing: list[str]) -> str:
    """Return the error message for missing resources of a data stack, with instructions."""
    return f"The data stack {name} has lost resources that no deployment recreates: {', '.join(missing)}. {REMEDY}"


def _is_role(name: str) -> bool:
    client = boto3.client("iam")
    try:
        client.get_role(RoleName=name)
    except client.exceptions.NoSuchEntityException:
        return False
    return True
