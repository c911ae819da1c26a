"""Import existing tables and log groups into a data stack that would otherwise fail to create them.

CloudFormation must import each one with its current properties.
"""

from typing import Any

from infra import template
from infra.data_stack import log_groups, tables
from infra.template import Template

OF_TABLES, OF_LOG_GROUPS = "TableName", "LogGroupName"


def names(wanted: Template, stage: str) -> dict[str, str]:
    """Return the logical ids, by name, of the resources that may exist without a stack."""
    return {**tables.names(wanted, stage), **log_groups.names(wanted, stage)}


def existing(wanted: Template, stage: str) -> list[str]:
    """Return the names of the existing tables and log groups, in a stack or not."""
    return [
        *tables.existing(tables.names(wanted, stage)),
        *log_groups.existing(log_groups.names(wanted, stage)),
    ]


def being_deleted(found: list[str], wanted: Template, stage: str) -> list[str]:
    """Return those that are being deleted; only tables take long enough to be noticed."""
    known = tables.names(wanted, stage)
    return [name for name in found if name in known and tables.is_being_deleted(name)]


def with_adopted(now: Template, wanted: Template, adopted: list[str], stage: str) -> Template:
    """Return a stack's template with the adopted resources, under the wanted logical ids and deletion policies."""
    known, groups = names(wanted, stage), log_groups.names(wanted, stage)
    added = {
        known[name]: wanted["Resources"][known[name]]
        | (log_groups.current_properties(name) if name in groups else tables.current_properties(name))
        for name in adopted
    }
    return {**now, "Resources": now["Resources"] | added}


def import_arguments(wanted: Template, adopted: list[str], stage: str) -> dict[str, Any]:
    """Return the arguments that make a change set an import."""
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


def with_imports(changes: list[str], wanted: Template, found: list[str], stage: str) -> list[str]:
    """Replace "Add" by "Import" for existing resources: "Import AWS::DynamoDB::Table Accounts"."""
    known, deleted = names(wanted, stage), being_deleted(found, wanted, stage)
    types = {known[name]: wanted["Resources"][known[name]]["Type"] for name in found if name not in deleted}
    imported = {f"Add {kind} {logical}": f"Import {kind} {logical}" for logical, kind in types.items()}
    return [imported.get(each, each) for each in changes]
