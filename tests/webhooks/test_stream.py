"""Events from the stream: missing invalidation marks, unreadable items, and errors."""

import pytest

from chalicelib.accounts import invalidation
from chalicelib.api import background
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import is_outage
from chalicelib.events import kinds
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import endpoint_of, happens, images, set_status_without_mark, streamed


def test_missing_invalidation_mark_is_restored_by_stream(local: TestApp) -> None:
    """If a function crashes between a change and its mark, the stream sets the mark, so cached decisions become
    invalid.
    """
    ada = local.account()
    key = local.key(ada)
    assert local.call("GET", "/v1/users/me", key.secret).status == 200
    local.clock.forward(20)
    _suspend_without_mark(ada.id)
    assert local.call("GET", "/v1/users/me", key.secret).status == 200
    streamed(ada)
    assert local.call("GET", "/v1/users/me", key.secret).status == 401


def test_existing_invalidation_mark_is_not_written_again(local: TestApp) -> None:
    """If the marks of a change exist, the stream doesn't write them again."""
    ada = local.account()
    local.key(ada)
    local.clock.forward(1)
    invalidation.mark_account(ada.id)
    before = _marks(ada.id)
    streamed(ada)
    assert _marks(ada.id) == before


def test_unreadable_item_is_skipped(local: TestApp, receiver: Receiver) -> None:
    """An unreadable item is skipped, because it would block the stream for a day."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_id = happens(local, ada)
    rubbish: list[dynamodb.Json] = [
        {"account_id": {"S": ada.id}, "id": {"S": event_id[:-1] + "x"}},
        {"account_id": {"S": f"{ada.id}#once"}, "id": {"S": "quota#1"}},
        {},
    ]
    background.follow_up([*rubbish, *images(ada.id)])
    assert receiver.ids == [event_id]


@pytest.mark.usefixtures("cut_off")
def test_database_error_is_raised_to_stream() -> None:
    """A database error is raised to the stream, which then sends the records again."""
    image = {"account_id": {"S": "acc_x"}, "id": {"S": "evt_" + "0" * 20}, "type": {"S": kinds.ACCOUNT_RENAMED}}
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever pynamodb makes of it
        background.follow_up([image | {"at": {"N": "1"}, "actor": {"S": "operator"}}])
    assert is_outage(raised.value)


def test_failed_background_task_does_not_stop_others(local: TestApp, receiver: Receiver) -> None:
    """If a background task fails, the failure is logged and the other tasks still run."""
    done: list[str] = []

    def fail() -> None:
        raise LookupError("on purpose")

    background._run_all(("first", fail), ("second", lambda: done.append("second")))
    assert done == ["second"]


def _marks(account_id: str) -> list[str]:
    request = {"TableName": "latchkey-test-windows"}
    return sorted(str(item) for item in dynamodb.call("Scan", request)["Items"] if account_id in str(item))


def _suspend_without_mark(account_id: str) -> None:
    set_status_without_mark(account_id, kinds.STANDING_CHANGED, "suspended")
