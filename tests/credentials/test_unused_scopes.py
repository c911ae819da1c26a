"""Which scopes a key could do without: only what the record can say."""

from typing import Any

import pytest

from chalicelib.credentials.unused_scopes import Advice, advise
from chalicelib.limits.recorded_usage import route_name
from chalicelib.limits.usage import Used

WEEK_S, MONTH_S = 7 * 86_400, 30 * 86_400
"""The guide: a key is narrowed by "the last 30 days", and "once the key is 7 days old"."""
ROUTES = {"GET /v1/users": ("read",), "GET /v1/keys": ("keys",), "PATCH /v1/users/me": ("write",)}


def advised(*routes: str, complete: bool = True, age_s: int = WEEK_S, rotated: bool = False) -> Advice:
    """Return the advice for a key with read, write and keys that used `routes`."""
    used = Used(frozenset(route_name(route) for route in routes), complete)
    return advise({"write", "keys", "read"}, used, ROUTES, age_s=age_s, rotated=rotated)


def test_scopes_of_used_routes_are_used() -> None:
    """The rest is what the key can be narrowed by."""
    advice = advised("GET /v1/users", "GET /v1/keys")
    assert advice == Advice(["read", "keys"], ["write"], ["GET /v1/keys", "GET /v1/users"], complete=True)
    assert advice.narrower


def test_key_that_used_everything_or_nothing_is_not_narrowed() -> None:
    """There is nothing to take away, or nothing would be left."""
    assert not advised(*ROUTES).narrower
    assert not advised().narrower


def test_key_that_was_rotated_in_long_ago_is_like_any_other() -> None:
    """Nothing of what its predecessor did is within the 30 days."""
    assert advised("GET /v1/users", age_s=MONTH_S, rotated=True).narrower


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
def test_nothing_is_promised_that_the_record_cant_say(more: list[str], record: dict[str, Any]) -> None:
    """What was used is shown all the same."""
    advice = advised("GET /v1/users", *more, **record)
    assert (advice.complete, advice.narrower, advice.used) == (False, False, ["read"])
