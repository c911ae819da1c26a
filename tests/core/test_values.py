"""The value types of the core are immutable and have no other attributes than their fields."""

import dataclasses
from typing import Any

import pytest

from chalicelib.core import http_framing, settings, ssrf_safe_fetch, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import codec, endpoint, http_response, sigv4

FROZEN: list[Any] = [
    http_response.HttpResponse,
    endpoint.Endpoint,
    ssrf_safe_fetch.Fetched,
    codec.Caller,
    settings.Settings,
    sigv4.Credentials,
    dynamodb.RetryPolicy,
]
"""Types that must be immutable, because threads share them."""
SLOTTED: list[Any] = [*FROZEN, ssrf_safe_fetch._Server, http_framing.Head, telemetry.Calls]
"""Types that must have slots, because each call creates instances."""


@pytest.mark.parametrize("kind", FROZEN, ids=lambda kind: kind.__name__)
def test_value_is_immutable(kind: Any) -> None:
    """A value is immutable, so it can be a dictionary key."""
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("kind", SLOTTED, ids=lambda kind: kind.__name__)
def test_value_has_no_other_attributes(kind: Any) -> None:
    """A value has no `__dict__`, so setting an unknown attribute is an error."""
    assert set(kind.__slots__) == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        (http_response.HttpResponse(200, {}, b""), {"keep_alive": True}),
        (sigv4.Credentials("id", "secret"), {"token": ""}),
        (ssrf_safe_fetch._Server("a.example", 443, "/", None), {"addresses": []}),
        (telemetry.Calls(), {"made": []}),
        (dynamodb.RetryPolicy(1, 1, 1), {"not_accepted": 2}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_default_of_a_value(value: Any, rest: dict[str, Any]) -> None:
    """Optional fields have a default."""
    assert {name: getattr(value, name) for name in rest} == rest
