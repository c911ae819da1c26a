"""The wire: what DynamoDB's failures mean, and the item as it stood when a condition refused."""

import pytest

from chalicelib.core import settings, telemetry, wire
from tests.house import House

PUT = {"TableName": "latchkey-test-emails", "Item": {"email": {"S": "a@example.com"}, "account_id": {"S": "acc_1"}}}
IF_NEW = PUT | {
    "ConditionExpression": "attribute_not_exists(email)",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}


def test_refused_condition_shows_the_item_as_it_stood(home: House) -> None:
    """Who is refused needs no second call to learn why."""
    wire.call("PutItem", PUT)
    with pytest.raises(wire.ConditionFailed) as refused:
        wire.call("PutItem", IF_NEW)
    assert refused.value.item == PUT["Item"]


def test_refused_condition_is_not_repeated(home: House) -> None:
    """A no is an answer, not a failure to try again."""
    wire.call("PutItem", PUT)
    with telemetry.calls_watched() as calls, pytest.raises(wire.ConditionFailed):
        wire.call("PutItem", IF_NEW)
    assert calls.made == [("PutItem", "latchkey-test-emails")]


def test_unknown_table_is_no_outage(home: House) -> None:
    """A mistake of ours is told apart from a database that doesn't answer, and isn't repeated."""
    with telemetry.calls_watched() as calls, pytest.raises(wire.WireError) as failed:
        wire.call("GetItem", {"TableName": settings.current().table("nothing"), "Key": {"id": {"S": "1"}}})
    assert (type(failed.value), failed.value.code) == (wire.WireError, "ResourceNotFoundException")
    assert len(calls.made) == 1


def test_refused_connection_is_an_outage(cut_off: House) -> None:
    """A database that can't be connected to is unreachable, and is asked as often as the caller has patience for."""
    with telemetry.calls_watched() as calls, pytest.raises(wire.Unreachable):
        wire.call("GetItem", {"TableName": "latchkey-test-accounts", "Key": {"id": {"S": "1"}}}, wire.AT_ONCE)
    assert len(calls.made) == wire.AT_ONCE.unavailable
