"""Consumed capacity of calls, as the DynamoDB emulator reports it, and item sizes, computed by DynamoDB's rules."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core import telemetry
from chalicelib.core.dynamodb import client as dynamodb
from infra import data
from infra.local_gateway.response import Response

READING = {"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"}
WRITING = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}
INDEX_ENTRY_BYTES = ITEM_BYTES = 100
"""DynamoDB's overhead in bytes for each item and each index entry."""
Item = dict[str, dict[str, Any]]


@dataclass(slots=True)
class Consumption:
    """The capacity units that an operation consumed, its log lines, and its response."""

    write_units: float = 0
    read_units: float = 0
    lines: list[str] = field(default_factory=list)
    answer: Response | None = None

    @property
    def line_bytes(self) -> int:
        """Return the size of all log lines."""
        return sum(map(len, self.lines))

    @property
    def answer_bytes(self) -> int:
        """Return the size of the response's headers and body, or 0 if there is no response."""
        if self.answer is None:
            return 0
        return sum(len(name) + len(value) + 4 for name, value in self.answer.headers) + len(self.answer.body)


def measure(act: Callable[[], object]) -> Consumption:
    """Run `act` and return its consumption."""
    taken, logged, send = Consumption(), io.StringIO(), dynamodb.sender()

    def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        assert operation in READING | WRITING, operation
        response = send(operation, {**request, "ReturnConsumedCapacity": "TOTAL"})
        consumed = response.pop("ConsumedCapacity")
        units = sum(each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed]))
        if operation in READING:
            taken.read_units += units
        else:
            taken.write_units += units
        return response

    telemetry.write_to(logged)
    with dynamodb.use_sender(call):
        given = act()
    telemetry.write_to(None)
    taken.answer = given if isinstance(given, Response) else None
    taken.lines = logged.getvalue().splitlines(keepends=True)
    return taken


def stored_bytes(stage: str, of: tuple[str, ...]) -> tuple[int, int]:
    """Return the size in bytes of these tables and their indexes."""
    in_tables = in_indexes = 0
    every = data.tables(stage)
    for name in (f"latchkey-{stage}-{table}" for table in of):
        table = every[name]
        keys = {key["AttributeName"] for key in table["KeySchema"]}
        for item in dynamodb.call("Scan", {"TableName": name, "ConsistentRead": True})["Items"]:
            in_tables += _size_bytes(item) + ITEM_BYTES
            for index in table.get("GlobalSecondaryIndexes", ()):
                in_indexes += _entry_bytes(item, keys, index)
    return in_tables, in_indexes


def _entry_bytes(item: Item, table_keys: set[str], index: dict[str, Any]) -> int:
    """Return the size of an item's entry in an index, or 0 if the item lacks a key of the index."""
    keys = {key["AttributeName"] for key in index["KeySchema"]}
    if not keys <= item.keys():
        return 0
    projected = index["Projection"]
    names = keys | table_keys | set(projected.get("NonKeyAttributes", ()))
    if projected["ProjectionType"] == "ALL":
        names = set(item)
    return _size_bytes({name: value for name, value in item.items() if name in names}) + INDEX_ENTRY_BYTES


def _size_bytes(item: Item) -> int:
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: dict[str, Any]) -> int:
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return len(held.strip("-0.")) // 2 + 2
        case "SS":
            return sum(len(each.encode()) for each in held)
        case "L":
            return 3 + sum(1 + _value_bytes(each) for each in held)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(each) for name, each in held.items())
        case "B":
            return len(held)
    assert kind in ("BOOL", "NULL"), kind
    return 1
