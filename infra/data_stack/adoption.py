"""What CloudFormation is asked to take tables into a stack that exist: each as it is, and nothing else."""

from typing import Any

from infra import template
from infra.data_stack import tables
from infra.template import Template


def with_tables(now: Template, wanted: Template, adopted: list[str], stage: str) -> Template:
    """Return the template that a stack has, with tables more: logical ids and policies are those of the wanted one."""
    names = tables.names(wanted, stage)
    added = {names[name]: wanted["Resources"][names[name]] | tables.as_it_is(name) for name in adopted}
    return {**now, "Resources": now["Resources"] | added}


def imports(wanted: Template, adopted: list[str], stage: str) -> dict[str, Any]:
    """Return what makes a change set one that takes these tables in."""
    names = tables.names(wanted, stage)
    return {
        "ChangeSetType": "IMPORT",
        "ResourcesToImport": [
            {
                "ResourceType": template.TABLE,
                "LogicalResourceId": names[name],
                "ResourceIdentifier": {"TableName": name},
            }
            for name in adopted
        ],
    }
