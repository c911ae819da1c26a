"""Advice to remove unused scopes from a key is given only if its usage is completely recorded."""

from typing import Any

import pytest

from chalicelib.credentials.unused_scopes import Advice, advise
from chalicelib.limits.recorded_usage import route_name
from chalicelib.limits.usage import Used

WEEK_S, MONTH_S = 7 * 86_400, 30 * 86_400
"""The guide bases the advice on "the last 30 days", for a key that "is 7 days old"."""
ROUTES = {"GET /v1/users": ("read",), "GET /v1/keys": ("keys",), "PATCH /v1/users/me": ("write",)}


def advice_for(*routes: str, complete: bool = True, age_s: int = WEEK_S, rotated: bool = False) -> Advice:
    """Return the advice for a key that has the scopes read, write and keys, and has used `routes`."""
    used = Used(frozenset(route_name(route) for route in routes), complete)
    return advise({"write", "keys", "read"}, used, ROUTES, age_s=age_s, rotated=rotated)


def test_scopes_of_used_routes_are_used() -> None:
    """A scope counts as used if a used route requires it; all other scopes of the key can be removed."""
    advice = advice_for("GET /v1/users", "GET /v1/keys")
    assert advice == Advice(["read", "keys"], ["write"], ["GET /v1/keys", "GET /v1/users"], complete=True)
    assert advice.narrower


def test_key_with_only_used_or_only_unused_scopes_gets_no_advice() -> None:
    """A key that used all of its scopes, or none, gets no advice."""
    assert not advice_for(*ROUTES).narrower
    assert not advice_for().narrower


def test_key_that_replaced_another_long_ago_gets_advice() -> None:
    """A key that was created by a rotation gets advice once its predecessor's usage is older than 30 days."""
    assert advice_for("GET /v1/users", age_s=MONTH_S, rotated=True).narrower


@pytest.mark.parametrize(
    ("more", "record"),
    [
        ([], {"complete": False}),
        ([], {"age_s": WEEK_S - 1}),
        ([], {"age_s": MONTH_S - 1, "rotated": True}),
        (["GET /v1/gone"], {}),
    ],
    ids=["an hour isn't complete", "young", "rotated", "a route that is no more"],
)
def test_incomplete_record_gives_no_advice(more: list[str], record: dict[str, Any]) -> None:
    """If the recorded usage is incomplete, used scopes are listed but no removal is advised."""
    advice = advice_for("GET /v1/users", *more, **record)
    assert (advice.complete, advice.narrower, advice.used) == (False, False, ["read"])
