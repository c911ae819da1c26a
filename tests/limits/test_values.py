"""The limits' values: nobody changes one, and one without content is empty."""

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
    admission.Asked,
    limit_headers.Allowance,
    leases.Take,
    rejection_counts.Sum,
    tiers.Tier,
    recorded_usage.Known,
    recorded_usage_delta.Learnt,
    recorded_usage.Traits,
    usage.Hour,
    usage.Used,
    counter_items.Window,
]
"""Threads share them."""
SLOTTED: list[Any] = [*FROZEN, leases._Caller, local_cache.Seen]
"""A process keeps thousands."""


@pytest.mark.parametrize("kind", FROZEN, ids=lambda kind: kind.__name__)
def test_value_never_changes(kind: Any) -> None:
    """And so can be a key."""
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("kind", SLOTTED, ids=lambda kind: kind.__name__)
def test_value_has_no_more_than_its_fields(kind: Any) -> None:
    """A misspelt one is a mistake, and none costs a dictionary."""
    assert set(kind.__slots__) == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (admission.Asked(), (None, 2**53, recorded_usage.Traits())),
        (leases.Take(1), (1, 0)),
        (leases._Caller(7), (7, 0, 0, 0, 0, False, [], 0)),
        (local_cache.Seen(), (0, {}, (), frozenset(), recorded_usage.Known(), -10_000, "")),
        (rejection_counts.Sum(), (0, {})),
        (recorded_usage.Known(), (frozenset(), 0, 0, 0, 230, ())),
        (recorded_usage_delta.Learnt(), ("", "", (), {}, {})),
        (recorded_usage.Traits(), ("", "")),
        (usage.Hour(), (0, 0, {})),
        (usage.Used(), (frozenset(), True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_that_says_nothing_is_empty(value: Any, fields: tuple[Any, ...]) -> None:
    """Nothing used, refused, taken or known."""
    assert tuple(getattr(value, field.name) for field in dataclasses.fields(value)) == fields
