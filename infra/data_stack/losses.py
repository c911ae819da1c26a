"""Report tables and roles that the data stack has lost. CloudFormation doesn't notice, so no update recreates them."""

from collections.abc import Iterable

import boto3

ROLE = "AWS::IAM::Role"
REMEDY = 'docs/operating.md, "A table or a role is gone", has the commands that restore it or make it anew.'


def roles(names: Iterable[str]) -> list[str]:
    """Return the roles that don't exist, in the form "role y"."""
    return [f"role {name}" for name in names if not _is_role(name)]


def describe(name: str, missing: list[str]) -> str:
    """Return the error message for missing resources of a data stack, with instructions."""
    verb = "is" if len(missing) == 1 else "are"
    return f"Of the data stack {name} {verb} gone, and no deployment makes it again: {', '.join(missing)}. {REMEDY}"


def _is_role(name: str) -> bool:
    client = boto3.client("iam")
    try:
        client.get_role(RoleName=name)
    except client.exceptions.NoSuchEntityException:
        return False
    return True
