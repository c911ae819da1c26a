"""The size of a DynamoDB item (Developer Guide, "DynamoDB item sizes and formats")."""

from typing import Any


def size_bytes(item: dict[str, Any]) -> int:
    """Return the size of an item in bytes. The guide states no overhead for sets, so they are counted like lists."""
    return sum(len(name) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: dict[str, Any]) -> int:
    if "S" in value:
        return len(value["S"].encode())
    if "SS" in value:
        return 3 + sum(1 + len(text.encode()) for text in value["SS"])
    return (len(value["N"].strip("-0").rstrip("0")) + 1) // 2 + 1
