"""Compute the templates for the steps from a data stack's current template to the wanted one.

No step removes a table or an index. Each step adds at most one index per table, since DynamoDB can't create more at a
time and CloudFormation rejects such updates.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from infra import template
from infra.template import Template


def kept(wanted: Template, now: Template) -> Template:
    """Return the wanted template plus the stack's tables and indexes that this version doesn't use any more."""
    whole = deepcopy(wanted)
    for logical, table in template.tables(now).items():
        mine = whole["Resources"].setdefault(logical, table)["Properties"]
        theirs = table["Properties"]
        known = {index["IndexName"] for index in _indexes(mine)}
        more = [index for index in _indexes(theirs) if index["IndexName"] not in known]
        if more:
            mine["GlobalSecondaryIndexes"] = [*_indexes(mine), *more]
            names = {each["AttributeName"] for each in mine["AttributeDefinitions"]}
            mine["AttributeDefinitions"] = [
                *mine["AttributeDefinitions"],
                *(each for each in theirs["AttributeDefinitions"] if each["AttributeName"] not in names),
            ]
    return whole


def steps(wanted: Template, now: Template) -> Iterator[Template]:
    """Yield the template of each step, with at most one new index per table. The last template is `wanted`."""
    has = {
        logical: {index["IndexName"] for index in _indexes(table["Properties"])}
        for logical, table in template.tables(now).items()
    }
    while True:
        step, is_last = deepcopy(wanted), True
        for logical, table in template.tables(step).items():
            if logical not in has:
                continue  # a new table is created with all its indexes
            new = [index for index in _indexes(table["Properties"]) if index["IndexName"] not in has[logical]]
            has[logical].update(index["IndexName"] for index in new[:1])
            if new[1:]:
                is_last = False
                _leave_out(table["Properties"], {index["IndexName"] for index in new[1:]})
        yield step
        if is_last:
            return


def _indexes(properties: dict[str, Any]) -> list[dict[str, Any]]:
    indexes: list[dict[str, Any]] = properties.get("GlobalSecondaryIndexes", [])
    return indexes


def _leave_out(properties: dict[str, Any], names: set[str]) -> None:
    """Remove indexes from a table's properties, with the attributes that only these indexes use.

    CloudFormation rejects attributes that no index uses.
    """
    kept = [index for index in _indexes(properties) if index["IndexName"] not in names]
    used = {key["AttributeName"] for schema in (properties, *kept) for key in schema["KeySchema"]}
    properties["AttributeDefinitions"] = [
        each for each in properties["AttributeDefinitions"] if each["AttributeName"] in used
    ]
    properties["GlobalSecondaryIndexes"] = kept
    if not kept:
        del properties["GlobalSecondaryIndexes"]
