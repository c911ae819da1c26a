"""Batch reads stay within DynamoDB's limits and retry unprocessed keys."""

import pytest

from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Throttled

KEY = {"id": {"N": "1"}}


def make_sender(items: dict[str, list[dynamodb.Json]]) -> tuple[dynamodb.Send, list[dynamodb.Json]]:
    """Return a sender that answers every batch with these items, and the list to which it adds its requests."""
    requests: list[dynamodb.Json] = []

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        assert operation == "BatchGetItem"
        requests.append(body["RequestItems"])
        return {"Responses": items}

    return send, requests


def test_one_item_per_table_is_read_consistently_in_one_call() -> None:
    """One call reads one item from each of several tables consistently; a missing item is absent from the result."""
    send, requests = make_sender({"a": [{"x": {"S": "1"}}], "b": []})
    with dynamodb.use_sender(send):
        assert dynamodb.batch_get({"a": KEY, "b": KEY}) == {"a": {"x": {"S": "1"}}}
    both = {"Keys": [KEY], "ConsistentRead": True}
    assert requests == [{"a": both, "b": both}]


def test_empty_batch_makes_no_call() -> None:
    """An empty batch makes no call, because DynamoDB rejects it."""
    send, requests = make_sender({})
    with dynamodb.use_sender(send):
        assert dynamodb.batch_get({}) == {}
        assert dynamodb.batch_get_table("t", [], consistent=True) == []
    assert requests == []


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
@pytest.mark.parametrize("consistent", [True, False])
def test_many_items_are_read_a_hundred_per_call(count: int, sizes: list[int], consistent: bool) -> None:
    """Many items are read in calls of 100 keys, and each key is read once."""
    send, requests = make_sender({"t": [{"x": {"S": "1"}}], "other": [{"y": {"S": "1"}}]})
    keys = [{"id": {"N": str(number)}} for number in range(count)]
    with dynamodb.use_sender(send):
        found = dynamodb.batch_get_table("t", keys, consistent=consistent)
    assert found == [{"x": {"S": "1"}}] * len(sizes)
    assert [len(each["t"]["Keys"]) for each in requests] == sizes
    assert [key for each in requests for key in each["t"]["Keys"]] == keys
    assert {each["t"]["ConsistentRead"] for each in requests} == {consistent}


def test_response_without_the_table_has_no_items() -> None:
    """If the response lacks a table, the table has no items."""
    send, _ = make_sender({})
    with dynamodb.use_sender(send):
        assert dynamodb.batch_get_table("t", [KEY], consistent=True) == []


def test_many_items_are_written_25_per_call_and_unprocessed_ones_again() -> None:
    """Many items are written in calls of 25. Unprocessed ones are written again, before the next call."""
    requests: list[dynamodb.Json] = []

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        assert operation == "BatchWriteItem"
        requests.append(body["RequestItems"])
        return {"UnprocessedItems": {"t": body["RequestItems"]["t"][:2]}} if len(requests) == 1 else {}

    writes = [{"DeleteRequest": {"Key": {"id": {"N": str(number)}}}} for number in range(30)]
    with dynamodb.use_sender(send), clock.use_sleep(lambda _: None):
        dynamodb.batch_write("t", writes)
        dynamodb.batch_write("t", [])
    assert [each["t"] for each in requests] == [writes[:25], writes[:2], writes[25:]]


def test_unprocessed_writes_are_retried_up_to_eight_calls() -> None:
    """Unprocessed writes are sent in up to eight calls, with growing pauses, before throttling is raised."""
    requests: list[dynamodb.Json] = []

    def send(_operation: str, body: dynamodb.Json) -> dynamodb.Json:
        requests.append(body["RequestItems"])
        return {"UnprocessedItems": body["RequestItems"]}

    pauses: list[float] = []
    with dynamodb.use_sender(send), clock.use_sleep(pauses.append), pytest.raises(Throttled):
        dynamodb.batch_write("t", [{"DeleteRequest": {"Key": KEY}}])
    assert (len(requests), len(pauses)) == (8, 7)


def test_unprocessed_keys_are_retried_up_to_eight_calls() -> None:
    """Unprocessed keys are requested in up to eight calls, with growing pauses, before throttling is raised."""
    requests: list[dynamodb.Json] = []

    def send(_operation: str, body: dynamodb.Json) -> dynamodb.Json:
        requests.append(body["RequestItems"])
        return {"Responses": {"t": [KEY]}, "UnprocessedKeys": {"t": {"Keys": [KEY]}}}

    pauses: list[float] = []
    found: list[dynamodb.Json] = []
    with dynamodb.use_sender(send), clock.use_sleep(pauses.append), pytest.raises(Throttled) as failed:
        found += dynamodb.batch_get_table("t", [KEY, KEY], consistent=True)
    assert (len(requests), len(pauses)) == (8, 7)
    assert requests[1:] == [{"t": {"Keys": [KEY]}}] * 7
    assert all(pause <= 0.02 * 2**times for times, pause in enumerate(pauses, 1))
    assert failed.value.code == "ProvisionedThroughputExceededException"
    assert "UnprocessedKeys" in failed.value.response
