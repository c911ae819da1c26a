"""Reading several items in one call: no more than DynamoDB takes, and what it leaves over."""

import pytest

from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Throttled

KEY = {"id": {"N": "1"}}


def answering(items: dict[str, list[dynamodb.Json]]) -> tuple[dynamodb.Send, list[dynamodb.Json]]:
    """Return what answers every batch with these items, and what it was asked."""
    asked: list[dynamodb.Json] = []

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        assert operation == "BatchGetItem"
        asked.append(body["RequestItems"])
        return {"Responses": items}

    return send, asked


def test_one_item_of_each_table_is_read_consistently_in_one_call() -> None:
    """A missing item is absent."""
    send, asked = answering({"a": [{"x": {"S": "1"}}], "b": []})
    with dynamodb.sent_by(send):
        assert dynamodb.batch_get({"a": KEY, "b": KEY}) == {"a": {"x": {"S": "1"}}}
    both = {"Keys": [KEY], "ConsistentRead": True}
    assert asked == [{"a": both, "b": both}]


def test_nothing_wanted_asks_nobody() -> None:
    """DynamoDB would answer an empty batch with an error."""
    send, asked = answering({})
    with dynamodb.sent_by(send):
        assert dynamodb.batch_get({}) == {}
        assert dynamodb.batch_get_of("t", [], consistent=True) == []
    assert asked == []


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
@pytest.mark.parametrize("consistent", [True, False])
def test_many_are_read_a_hundred_a_call(count: int, sizes: list[int], consistent: bool) -> None:
    """Each once, as fresh as was asked for."""
    send, asked = answering({"t": [{"x": {"S": "1"}}], "other": [{"y": {"S": "1"}}]})
    keys = [{"id": {"N": str(number)}} for number in range(count)]
    with dynamodb.sent_by(send):
        found = dynamodb.batch_get_of("t", keys, consistent=consistent)
    assert found == [{"x": {"S": "1"}}] * len(sizes)
    assert [len(each["t"]["Keys"]) for each in asked] == sizes
    assert [key for each in asked for key in each["t"]["Keys"]] == keys
    assert {each["t"]["ConsistentRead"] for each in asked} == {consistent}


def test_batch_of_another_table_brings_nothing() -> None:
    """No item of this one was there."""
    send, _ = answering({})
    with dynamodb.sent_by(send):
        assert dynamodb.batch_get_of("t", [KEY], consistent=True) == []


def test_what_is_left_over_is_asked_for_eight_times_and_paused_before_each_but_the_first() -> None:
    """Longer each time; then it is DynamoDB that has no capacity."""
    asked: list[dynamodb.Json] = []

    def send(_operation: str, body: dynamodb.Json) -> dynamodb.Json:
        asked.append(body["RequestItems"])
        return {"Responses": {"t": [KEY]}, "UnprocessedKeys": {"t": {"Keys": [KEY]}}}

    pauses: list[float] = []
    found: list[dynamodb.Json] = []
    with dynamodb.sent_by(send), clock.paused_by(pauses.append), pytest.raises(Throttled) as failed:
        found += dynamodb.batch_get_of("t", [KEY, KEY], consistent=True)
    assert (len(asked), len(pauses)) == (8, 7)
    assert asked[1:] == [{"t": {"Keys": [KEY]}}] * 7
    assert all(pause <= 0.02 * 2**times for times, pause in enumerate(pauses, 1))
    assert failed.value.code == "ProvisionedThroughputExceededException"
    assert "UnprocessedKeys" in failed.value.response
