"""The tables in the CloudFormation template equal those that the code declares, and can't be deleted by mistake."""

import pkgutil
from importlib import import_module
from typing import Any

import pytest

import chalicelib
from chalicelib.core import settings
from chalicelib.core.dynamodb.models import DeleteAt, Table
from chalicelib.core.settings import Settings
from infra import data


def models() -> dict[str, type[Table]]:
    """Return every model by the name of its table. If a table has two models, return the model with more attributes."""
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        if module.name.endswith(".tables") and module.name != "chalicelib.core.dynamodb.models":
            import_module(module.name)
    with settings.override(Settings(stage="test")):
        declared = [model for model in Table.__subclasses__() if model.__module__.endswith(".tables")]
        widest_last = sorted(declared, key=lambda model: len(model.get_attributes()))
        return {str(model.Meta.table_name): model for model in widest_last}


MODELS = models()
TABLES = data.tables("test")
RESOURCES = {
    resource["Properties"]["TableName"]: resource
    for resource in data.template()["Resources"].values()
    if resource["Type"] == "AWS::DynamoDB::Table"
}


REBUILT = {"windows", "sessions", "profiles", "status", "jobs"}
"""Tables that a restore doesn't restore, so that point-in-time recovery would cost money without a use."""


def keys_of(schema: list[dict[str, str]]) -> dict[str, str]:
    """Return the attribute of each key role (HASH, RANGE) in a key schema."""
    return {key["KeyType"]: key["AttributeName"] for key in schema}


def declared_keys(attributes: dict[str, Any]) -> dict[str, str]:
    """Return the attribute of each key role (HASH, RANGE) that a model or an index declares."""
    keys = {}
    for attribute in attributes.values():
        if attribute.is_hash_key:
            keys["HASH"] = attribute.attr_name
        if attribute.is_range_key:
            keys["RANGE"] = attribute.attr_name
    return keys


def test_models_and_tables_correspond() -> None:
    """Every model has a table in the template, and every table in the template has a model."""
    assert TABLES.keys() == MODELS.keys()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_keys_and_indexes_equal_the_models(name: str) -> None:
    """Keys, indexes, projections and attribute types in the template equal those of the model."""
    table, model = TABLES[name], MODELS[name]
    assert keys_of(table["KeySchema"]) == declared_keys(model.get_attributes())
    in_template = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", ())}
    assert in_template.keys() == model._indexes.keys()
    types = {definition["AttributeName"]: definition["AttributeType"] for definition in table["AttributeDefinitions"]}
    used = set(declared_keys(model.get_attributes()).values())
    for index_name, index in model._indexes.items():
        assert keys_of(in_template[index_name]["KeySchema"]) == declared_keys(index.Meta.attributes)
        projection = index.Meta.projection
        assert in_template[index_name]["Projection"] == {
            "ProjectionType": projection.projection_type,
            **({"NonKeyAttributes": projection.non_key_attributes} if projection.non_key_attributes else {}),
        }
        used |= set(declared_keys(index.Meta.attributes).values())
    declared = {attribute.attr_name: attribute.attr_type for attribute in model.get_attributes().values()}
    assert types == {name: declared[name] for name in used}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_time_to_live_equals_the_models(name: str) -> None:
    """Time to live is enabled for the attribute that the model declares, and only if it declares one."""
    declared = [
        attribute.attr_name for attribute in MODELS[name].get_attributes().values() if type(attribute) is DeleteAt
    ]
    specified = TABLES[name].get("TimeToLiveSpecification")
    assert specified == ({"AttributeName": declared[0], "Enabled": True} if declared else None)


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_table_is_protected_and_recoverable(name: str) -> None:
    """Every table is retained, protected and on-demand. Tables that a restore includes have point-in-time recovery.

    No encryption is configured, so the key that AWS owns is used, which is free.
    """
    resource = RESOURCES[name]
    properties = resource["Properties"]
    # If the creation of the stack fails, tables aren't retained, because they would prevent the next creation.
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert "SSESpecification" not in properties
    is_needed = properties["TableName"].rpartition("-")[2] not in REBUILT
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": is_needed}
    assert properties["DeletionProtectionEnabled"] == ["IsProtected", True, False]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_tables_are_named_by_stage() -> None:
    """The names of tables contain the stage, so two stages in one account share no table."""
    assert {name.removeprefix("latchkey-prod-") for name in data.tables("prod")} == {
        name.removeprefix("latchkey-test-") for name in TABLES
    }


def test_alarms_can_be_published() -> None:
    """The alarms' topic isn't encrypted with SNS's managed key, because CloudWatch can't use that key."""
    assert "KmsMasterKeyId" not in data.template()["Resources"]["Alarms"]["Properties"]
