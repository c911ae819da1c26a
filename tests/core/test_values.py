"""The value types of the core are immutable, and have only their fields."""

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
"""Threads share them."""
SLOTTED: list[Any] = [*FROZEN, ssrf_safe_fetch._Server, http_framing.Head, telemetry.Calls]
"""Each call creates some."""


@pytest.mark.parametrize("kind", FROZEN, ids=lambda kind: kind.__name__)
def test_value_is_immutable(kind: Any) -> None:
    """So it can be a dictionary key."""
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("kind", SLOTTED, ids=lambda kind: kind.__name__)
def test_value_has_no_other_attributes(kind: Any) -> None:
    """A misspelt attribute is an error, and no value costs a dictionary."""
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
    """A default is empty, or the most common value."""
    assert {name: getattr(value, name) for name in rest} == rest
