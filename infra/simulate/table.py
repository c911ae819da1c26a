"""A model of the counters' table, which applies each UpdateItem atomically."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed
from infra.simulate import expressions
from infra.simulate.expression_parser import InvalidError, Item, Names, NotModelledError, Values, resolve

UNIT_BYTES = 1_024
_KNOWN = frozenset(
    {
        "TableName",
        "Key",
        "UpdateExpression",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValues",
        "ReturnValuesOnConditionCheckFailure",
    }
)
_RETURNED = ("NONE", "ALL_NEW", None)
_RETURNED_WHEN_REFUSED = ("NONE", "ALL_OLD", None)

Key = tuple[str, int]


@dataclass(slots=True)
class Table:
    """The items by subject and hour, in DynamoDB's JSON format."""

    items: dict[Key, Item] = field(default_factory=dict)
    _units: dict[Key, int] = field(default_factory=dict)

    def update(self, request: Mapping[str, Any]) -> tuple[int, dynamodb.Json | ConditionFailed]:
        """Apply an UpdateItem; return its write units and its response.

        Raises NotModelledError for a feature that the simulation lacks, and InvalidError for an invalid request.
        """
        _check(request)
        key = key_of(request)
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        before = self.items.get(key, {})
        if not self.holds(request.get("ConditionExpression"), before, names, values):
            # DynamoDB charges a failed condition like a write of the current item.
            details = {"Item": dict(before)} if before and _returns_old_item(request) else {}
            error = ConditionFailed("ConditionalCheckFailedException", "The conditional request failed", details)
            return self._units.get(key, 1), error
        update = expressions.update(request["UpdateExpression"])
        if any(resolve(spelled, names) in request["Key"] for spelled in update.touched):
            raise InvalidError("an update can't change the key")
        after = update.apply(before or dict(request["Key"]), names, values)
        units_before = self._units.get(key, 1)
        self.items[key], self._units[key] = after, units(after)
        response = {"Attributes": dict(after)} if request.get("ReturnValues") == "ALL_NEW" else {}
        return max(units_before, self._units[key]), response

    def holds(self, condition: str | None, item: Item, names: Names, values: Values) -> bool:
        """Return whether an item satisfies a condition."""
        return condition is None or expressions.condition(condition)(item, names, values)


def key_of(request: Mapping[str, Any]) -> Key:
    """Return the key of the item that a request updates."""
    key = request["Key"]
    return key["subject"]["S"], int(key["hour"]["N"])


def _returns_old_item(request: Mapping[str, Any]) -> bool:
    return bool(request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD")


def units(item: Item) -> int:
    """Return the write units of an item: one for each started KB of names and values."""
    size_bytes = 0
    for name, value in item.items():
        number = value.get("N")
        texts = value.get("SS") or [value.get("S", "")]
        # DynamoDB stores a number in about one byte for two digits, plus one byte.
        size_bytes += len(name) + (len(number) // 2 + 2 if number else len("".join(texts)))
    return max(1, -(-size_bytes // UNIT_BYTES))


def _check(request: Mapping[str, Any]) -> None:
    unknown = request.keys() - _KNOWN
    if unknown:
        raise NotModelledError(f"a request with {', '.join(sorted(unknown))}")
    if request.get("ReturnValues") not in _RETURNED:
        raise NotModelledError(f"ReturnValues {request['ReturnValues']}")
    if request.get("ReturnValuesOnConditionCheckFailure") not in _RETURNED_WHEN_REFUSED:
        raise NotModelledError("another item shown when a condition fails")
    used = expressions.placeholders(request["UpdateExpression"], request.get("ConditionExpression", ""))
    given = {*request.get("ExpressionAttributeNames", {}), *request.get("ExpressionAttributeValues", {})}
    if used != given:
        raise InvalidError(f"placeholders that are used and given differ: {', '.join(sorted(used ^ given))}")
