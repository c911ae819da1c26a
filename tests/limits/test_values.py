"""The value types of the limits: they are immutable, and their default values are empty."""

import dataclasses
from typing import Any

import pytest

from chalicelib.limits import (
    admission,
    counter_items,
    leases,
    local_cache,
    recorded_usage,
    recorded_usage_delta,
    rejection_counts,
    tiers,
    usage,
)
from chalicelib.limits import headers as limit_headers

FROZEN: list[Any] = [
    admission.Attempt,
    limit_headers.Allowance,
    leases.Reservation,
    rejection_counts.Counts,
    tiers.Tier,
    recorded_usage.RecordedUsage,
    recorded_usage_delta.Delta,
    recorded_usage.RequestUsage,
    usage.Hour,
    usage.Used,
    counter_items.Window,
]
"""Types whose values are shared by threads."""
SLOTTED: list[Any] = [*FROZEN, leases._Caller, local_cache.CachedItem]
"""Types of which a process keeps thousands of values."""


@pytest.mark.parametrize("kind", FROZEN, ids=lambda kind: kind.__name__)
def test_value_is_immutable(kind: Any) -> None:
    """A value can't be changed, so it can be a dictionary key."""
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("kind", SLOTTED, ids=lambda kind: kind.__name__)
def test_value_has_no_other_attributes(kind: Any) -> None:
    """Setting a misspelt attribute is an error, because the type has no dictionary of attributes."""
    assert set(kind.__slots__) == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (admission.Attempt(), (None, 2**53, recorded_usage.RequestUsage())),
        (leases.Reservation(1), (1, 0)),
        (leases._Caller(7), (7, 0, 0, 0, 0, False, [], 0)),
        (local_cache.CachedItem(), (0, {}, (), frozenset(), recorded_usage.RecordedUsage(), -10_000, "")),
        (rejection_counts.Counts(), (0, {})),
        (recorded_usage.RecordedUsage(), (frozenset(), 0, 0, 0, 230, ())),
        (recorded_usage_delta.Delta(), ("", "", (), {}, {})),
        (recorded_usage.RequestUsage(), ("", "")),
        (usage.Hour(), (0, 0, {})),
        (usage.Used(), (frozenset(), True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_default_value_is_empty(value: Any, fields: tuple[Any, ...]) -> None:
    """The default value means that nothing is used, rejected, reserved or recorded."""
    assert tuple(getattr(value, field.name) for field in dataclasses.fields(value)) == fields
