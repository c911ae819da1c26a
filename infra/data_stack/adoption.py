"""Import existing tables and log groups into a data stack, which would otherwise fail to create them.

CloudFormation can import a resource only with its current properties. The resources of the service (API, functions,
subscription and domain) belong to no stack; `infra/deployed.py` makes Chalice adopt them.
"""

from typing import Any

from infra import template
from infra.data_stack import log_groups, tables
from infra.template import Template

OF_TABLES, OF_LOG_GROUPS = "TableName", "LogGroupName"


def names(wanted: Template, stage: str) -> dict[str, str]:
    """Return the names and logical ids of the resources that can exist without a stack."""
    return {**tables.names(wanted, stage), **log_groups.names(wanted, stage)}


def existing(wanted: Template, stage: str) -> list[str]:
    """Return the names of all existing tables and log groups, including those that are already part of a stack."""
    return [
        *tables.existing(tables.names(wanted, stage)),
        *log_groups.existing(log_groups.names(wanted, stage)),
    ]


def being_deleted(found: list[str], wanted: Template, stage: str) -> list[str]:
    """Return the tables that are being deleted. Log groups aren't checked, since AWS deletes them quickly."""
    known = tables.names(wanted, stage)
    return [name for name in found if name in known and tables.is_being_deleted(name)]


def with_adopted(now: Template, wanted: Template, adopted: list[str], stage: str) -> Template:
    """Return a stack's template plus the adopted resources, with the wanted logical ids and deletion policies."""
    known, groups = names(wanted, stage), log_groups.names(wanted, stage)
    added = {
        known[name]: wanted["Resources"][known[name]]
        | (log_groups.current_properties(name) if name in groups else tables.current_properties(name))
        for name in adopted
    }
    return {**now, "Resources": now["Resources"] | added}


def import_arguments(wanted: Template, adopted: list[str], stage: str) -> dict[str, Any]:
    """Return the arguments that turn a change set into an import of the adopted resources."""
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
    """Replace "Add" by "Import" in the changes for existing resources, as in "Import AWS::DynamoDB::Table Accounts"."""
    known, deleted = names(wanted, stage), being_deleted(found, wanted, stage)
    types = {known[name]: wanted["Resources"][known[name]]["Type"] for name in found if name not in deleted}
    imported = {f"Add {kind} {logical}": f"Import {kind} {logical}" for logical, kind in types.items()}
    return [imported.get(each, each) for each in changes]
