"""Create a stage's tables from `resources.yaml` without CloudFormation, in a local database or in tests."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError

RESOURCES = Path(__file__).with_name("resources.yaml")
_OF_CREATE_TABLE = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


@lru_cache(maxsize=1)
def template() -> dict[str, Any]:
    """Return the CloudFormation template; intrinsic functions are replaced by their arguments."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", _without_tag)
    loaded: dict[str, Any] = yaml.load(RESOURCES.read_text(), Loader)  # noqa: S506 - a SafeLoader that knows `!Sub`
    return loaded


def _without_tag(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    """Return the argument of an intrinsic function such as `!Sub …` or `!If […]`."""
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return node.value


def tables(stage: str) -> dict[str, dict[str, Any]]:
    """Return the properties of a stage's tables, by full table name."""
    properties = [
        resource["Properties"]
        for resource in template()["Resources"].values()
        if resource["Type"] == "AWS::DynamoDB::Table"
    ]
    return {table["TableName"].replace("${Stage}", stage): table for table in properties}


def alarms() -> list[dict[str, Any]]:
    """Return the properties of a stage's alarms."""
    resources = template()["Resources"].values()
    return [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]


def create_missing_tables() -> list[str]:
    """Create the tables that the current stage lacks and return their names.

    Existing tables keep their items. If they lack a stream or indexes, these are added.
    """
    created = []
    for name, table in tables(settings.current().stage).items():
        request = {"TableName": name} | {key: table[key] for key in _OF_CREATE_TABLE if key in table}
        stream = {"StreamEnabled": True, **table["StreamSpecification"]} if "StreamSpecification" in table else None
        if stream:
            request["StreamSpecification"] = stream
        try:
            dynamodb.call("CreateTable", request)
        except DynamoDBError as error:
            if error.code != "ResourceInUseException":
                raise
            there = dynamodb.call("DescribeTable", {"TableName": name})["Table"]
            if stream and "LatestStreamArn" not in there:
                dynamodb.call("UpdateTable", {"TableName": name, "StreamSpecification": stream})
            _add_missing_indexes(name, table, there)
            continue
        created.append(name)
        if "TimeToLiveSpecification" in table:
            lifetime = table["TimeToLiveSpecification"]
            dynamodb.call("UpdateTimeToLive", {"TableName": name, "TimeToLiveSpecification": lifetime})
    return created


def _add_missing_indexes(name: str, table: dict[str, Any], there: dynamodb.Json) -> None:
    """Add the indexes that a table lacks, one per API call, since DynamoDB can't create more at a time."""
    has = {index["IndexName"] for index in there.get("GlobalSecondaryIndexes", ())}
    for index in table.get("GlobalSecondaryIndexes", ()):
        if index["IndexName"] not in has:
            update = {"AttributeDefinitions": table["AttributeDefinitions"]}
            dynamodb.call(
                "UpdateTable", {"TableName": name, **update, "GlobalSecondaryIndexUpdates": [{"Create": index}]}
            )
