"""What exists without a stack and is in the way of one: CloudFormation is asked to take each as it is, and no more."""

from typing import Any

from infra import template
from infra.data_stack import log_groups, tables
from infra.template import Template

OF_TABLES, OF_LOG_GROUPS = "TableName", "LogGroupName"


def names(wanted: Template, stage: str) -> dict[str, str]:
    """Return the logical id of each resource that may exist without a stack, by its name."""
    return {**tables.names(wanted, stage), **log_groups.names(wanted, stage)}


def existing(wanted: Template, stage: str) -> list[str]:
    """Return the names of those that exist, in whatever stack."""
    return [
        *tables.existing(tables.names(wanted, stage)),
        *log_groups.existing(log_groups.names(wanted, stage)),
    ]


def being_deleted(found: list[str], wanted: Template, stage: str) -> list[str]:
    """Return those that are on their way out; only a table takes its time."""
    known = tables.names(wanted, stage)
    return [name for name in found if name in known and tables.is_being_deleted(name)]


def with_them(now: Template, wanted: Template, adopted: list[str], stage: str) -> Template:
    """Return the template that a stack has, with these more: logical ids and policies are those of the wanted one."""
    known, groups = names(wanted, stage), log_groups.names(wanted, stage)
    added = {
        known[name]: wanted["Resources"][known[name]]
        | (log_groups.as_it_is(name) if name in groups else tables.as_it_is(name))
        for name in adopted
    }
    return {**now, "Resources": now["Resources"] | added}


def imports(wanted: Template, adopted: list[str], stage: str) -> dict[str, Any]:
    """Return what makes a change set one that takes these in."""
    known = names(wanted, stage)
    types = {name: wanted["Resources"][known[name]]["Type"] for name in adopted}
    return {
        "ChangeSetType": "IMPORT",
        "ResourcesToImport": [
            {
                "ResourceType": types[name],
                "LogicalResourceId": known[name],
                "ResourceIdentifier": {OF_TABLES if types[name] == template.TABLE else OF_LOG_GROUPS: name},
            }
            for name in adopted
        ],
    }


def noted(changes: list[str], wanted: Template, found: list[str], stage: str) -> list[str]:
    """Return changes in which what was found is taken in, and not made: "Import AWS::DynamoDB::Table Accounts"."""
    known, deleted = names(wanted, stage), being_deleted(found, wanted, stage)
    types = {known[name]: wanted["Resources"][known[name]]["Type"] for name in found if name not in deleted}
    imported = {f"Add {kind} {logical}": f"Import {kind} {logical}" for logical, kind in types.items()}
    return [imported.get(each, each) for each in changes]
