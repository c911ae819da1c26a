"""The status page while the database is down."""

import pytest

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Unreachable, classify_error
from chalicelib.uptime import incidents
from tests.support.console_client import ConsoleClient
from tests.support.harness import TestApp
from tests.uptime.status_page import fail_request, read_cached_status, store_check


def test_page_is_readable_while_database_is_down(latchkey: TestApp) -> None:
    """The HTML, JSON and RSS pages show the history that was last read, and a notice."""
    store_check()
    incidents.open_incident("Slow answers", "We are looking into it.", ["api"])
    assert "Slow answers" in ConsoleClient(latchkey).open("/status").text
    latchkey.clock.forward(60)
    with dynamodb.use_sender(fail_request):
        page = ConsoleClient(latchkey).open("/status")
        body = latchkey.call("GET", "/status.json").json()
        feed = latchkey.call("GET", "/status.rss")
    assert (page.status, feed.status) == (200, 200)
    assert "Some systems are down." in page.text
    assert "Slow answers" in page.text
    assert (body["state"], body["history"]) == ("down", "read")
    assert {each["id"]: each["state"] for each in body["components"]}["database"] == "down"


def test_new_process_without_database_has_no_history(latchkey: TestApp) -> None:
    """A process that never reached the database says that the history can't be read."""
    latchkey.forget()
    with dynamodb.use_sender(fail_request):
        page = ConsoleClient(latchkey).open("/status")
        body = latchkey.call("GET", "/status.json").json()
    assert page.status == 200
    assert "can't be loaded right now" in page.text
    assert (body["history"], body["components"][3]["state"]) == ("unreadable", "down")


FAULTS = {
    "silent": Unreachable("NoAnswer", "no answer", {}),
    **{
        code: classify_error({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}})
        for code, status in (
            ("AccessDeniedException", 400),
            ("ResourceNotFoundException", 400),
            ("KMSAccessDeniedException", 400),
            ("UnrecognizedClientException", 400),
            ("ThrottlingException", 400),
            ("ProvisionedThroughputExceededException", 400),
            ("TransactionConflictException", 400),
            ("InternalServerError", 500),
        )
    },
}


@pytest.mark.parametrize("path", ["/status", "/status.json", "/status.rss"])
@pytest.mark.parametrize("fails", ["every call", "only the incidents"])
@pytest.mark.parametrize("fault", FAULTS)
def test_page_is_readable_after_any_database_error(latchkey: TestApp, fault: str, fails: str, path: str) -> None:
    """The HTML, JSON and RSS pages survive timeouts, denied access, missing tables or keys, and throttling."""
    store_check()
    real = dynamodb.sender()

    def send(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        days_are_asked_for = request.get("ExpressionAttributeValues", {}).get(":day") is not None
        if fails == "only the incidents" and days_are_asked_for:
            return real(operation, request)
        raise FAULTS[fault]

    with dynamodb.use_sender(send):
        response = latchkey.call("GET", path)
    assert response.status == 200
    if path == "/status.json":
        assert (response.json()["state"], response.json()["history"]) == ("down", "unreadable")


def test_one_request_in_five_seconds_waits_for_unreachable_database(latchkey: TestApp) -> None:
    """While the database is unreachable, one request every five seconds waits for it. The others read its state from a
    cache.
    """
    asked: list[str] = []

    def silent(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        asked.append(operation)
        return fail_request(operation, request)

    store_check()
    with dynamodb.use_sender(silent):
        for _ in range(3):
            assert read_cached_status(latchkey)["state"] == "down"
        of_one_reader = len(asked)
        latchkey.clock.forward(4)
        assert read_cached_status(latchkey)["state"] == "down"
    assert (of_one_reader, len(asked)) == (dynamodb.FAIL_FAST.unavailable, dynamodb.FAIL_FAST.unavailable)
    latchkey.clock.forward(1)
    assert read_cached_status(latchkey)["state"] == "up"
