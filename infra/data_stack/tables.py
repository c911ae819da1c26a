"""Find a stage's tables in DynamoDB, even if they aren't part of a CloudFormation stack."""

from collections.abc import Iterable
from typing import Any

import boto3

from infra import template
from infra.template import Template


def names(wanted: Template, stage: str) -> dict[str, str]:
    """Return the logical ids of the tables in a template, by name."""
    found = template.tables(wanted).items()
    return {each["Properties"]["TableName"]["Fn::Sub"].replace("${Stage}", stage): logical for logical, each in found}


def existing(known: Iterable[str]) -> list[str]:
    """Return those of the tables that exist."""
    there = listed()
    return [name for name in known if name in there]


def unknown(known: Iterable[str], stage: str) -> list[str]:
    """Return the tables whose names have a stage's prefix but aren't in this version's template."""
    return sorted(name for name in listed() - set(known) if name.startswith(f"latchkey-{stage}-"))


def listed() -> set[str]:
    """Return the names of all tables in the account and region."""
    pages = boto3.client("dynamodb").get_paginator("list_tables").paginate()
    return {name for page in pages for name in page["TableNames"]}


def is_being_deleted(table: str) -> bool:
    """Return whether a table is being deleted, or is deleted already."""
    client = boto3.client("dynamodb")
    try:
        return str(client.describe_table(TableName=table)["Table"]["TableStatus"]) == "DELETING"
    except client.exceptions.ResourceNotFoundException:
        return True


def current_properties(name: str) -> dict[str, Any]:
    """Return the current properties of a table, in CloudFormation's format."""
    tables = boto3.client("dynamodb")
    table = tables.describe_table(TableName=name)["Table"]
    properties: dict[str, Any] = {
        "TableName": {"Fn::Sub": name},
        "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "DeletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
        "AttributeDefinitions": table["AttributeDefinitions"],
        "KeySchema": table["KeySchema"],
    }
    indexes = [
        {key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
        for index in table.get("GlobalSecondaryIndexes", [])
    ]
    if indexes:
        properties["GlobalSecondaryIndexes"] = indexes
    if table.get("StreamSpecification", {}).get("StreamEnabled"):
        properties["StreamSpecification"] = {"StreamViewType": table["StreamSpecification"]["StreamViewType"]}
    lifetime = tables.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if lifetime["TimeToLiveStatus"] in ("ENABLED", "ENABLING"):
        properties["TimeToLiveSpecification"] = {"AttributeName": lifetime["AttributeName"], "Enabled": True}
    backups = tables.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    is_kept = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED"
    properties["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": is_kept}
    return {"Properties": properties}
