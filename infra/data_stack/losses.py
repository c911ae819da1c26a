"""What the data stack made and somebody deleted: CloudFormation believes it there, so no update makes it again."""

from collections.abc import Iterable
from typing import Any

import boto3

from infra import template
from infra.data_stack import tables

ROLE = "AWS::IAM::Role"
REMEDY = 'docs/operating.md, "A table or a role is gone", has the commands that restore it or make it anew.'


def missing(resources: Iterable[dict[str, Any]]) -> list[str]:
    """Return the tables and roles among a stack's resources that aren't there: "table x", "role y"."""
    made = [(each["ResourceType"], each["PhysicalResourceId"]) for each in resources if each.get("PhysicalResourceId")]
    of_tables = [name for kind, name in made if kind == template.TABLE]
    there = tables.existing(of_tables)
    gone = [f"table {name}" for name in of_tables if name not in there]
    return gone + [f"role {name}" for kind, name in made if kind == ROLE and not _is_role(name)]


def told(name: str, missing: list[str]) -> str:
    """Return what is missing of a data stack, and what to do."""
    verb = "is" if len(missing) == 1 else "are"
    return f"Of the data stack {name} {verb} gone, and no deployment makes it again: {', '.join(missing)}. {REMEDY}"


def _is_role(name: str) -> bool:
    client = boto3.client("iam")
    try:
        client.get_role(RoleName=name)
    except client.exceptions.NoSuchEntityException:
        return False
    return True
