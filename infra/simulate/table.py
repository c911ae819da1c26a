"""A table of counters: what one UpdateItem does to it, all at once. When it does, and whether, `dynamodb` says."""

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
    """Items by subject and hour, in the wire's own JSON."""

    items: dict[Key, Item] = field(default_factory=dict)
    _units: dict[Key, int] = field(default_factory=dict)

    def update(self, request: Mapping[str, Any]) -> tuple[int, dynamodb.Json | ConditionFailed]:
        """Do what an UpdateItem asks; return the write units it takes, and its answer.

        Raises NotModelledError for what the simulation doesn't know, and InvalidError for what DynamoDB would refuse.
        """
        _check(request)
        key = key_of(request)
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        before = self.items.get(key, {})
        if not self.holds(request.get("ConditionExpression"), before, names, values):
            # A refused write takes what a write of the item as it is would have.
            shown = {"Item": dict(before)} if before and _shows_old(request) else {}
            refusal = ConditionFailed("ConditionalCheckFailedException", "The conditional request failed", shown)
            return self._units.get(key, 1), refusal
        update = expressions.update(request["UpdateExpression"])
        if any(resolve(spelled, names) in request["Key"] for spelled in update.touched):
            raise InvalidError("an update can't change the key")
        after = update.apply(before or dict(request["Key"]), names, values)
        units_before = self._units.get(key, 1)
        self.items[key], self._units[key] = after, units(after)
        answer = {"Attributes": dict(after)} if request.get("ReturnValues") == "ALL_NEW" else {}
        return max(units_before, self._units[key]), answer

    def holds(self, condition: str | None, item: Item, names: Names, values: Values) -> bool:
        """Tell whether a condition holds of an item."""
        return condition is None or expressions.condition(condition)(item, names, values)


def key_of(request: Mapping[str, Any]) -> Key:
    """Return which item a request is about."""
    key = request["Key"]
    return key["subject"]["S"], int(key["hour"]["N"])


def _shows_old(request: Mapping[str, Any]) -> bool:
    return bool(request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD")


def units(item: Item) -> int:
    """Return the write units of an item: one for each KB of names and values that it has begun."""
    size_bytes = 0
    for name, value in item.items():
        number = value.get("N")
        texts = value.get("SS") or [value.get("S", "")]
        # A number takes a byte for two digits and one more, about.
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
