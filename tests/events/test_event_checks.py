"""The checks of stored items that run after every test detect the errors that they are meant to detect."""

from typing import Any

import pytest

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.oauth.tables import OneTimeToken
from tests.conftest import _tables as left
from tests.support import stored_items
from tests.support.harness import TestApp


@pytest.mark.made_up_events
@pytest.mark.parametrize(
    ("kind", "changed", "fault"),
    [
        (kinds.KEY_ROTATED, {"key": "key_1", "successor": "key_2"}, "key.rotated lacks ends_at"),
        (kinds.CONSENT_REMEMBERED, {"scopes": "read"}, "consent.remembered lacks application"),
        (kinds.ACCOUNT_DELETED, {"why": "x"}, "account.deleted has why, which isn't documented"),
        (kinds.NEW_NETWORK, {"name": "CI", "hour": "1", "networks": "1"}, "its example as"),
    ],
)
def test_event_with_missing_or_extra_fields_is_detected(
    latchkey: TestApp, kind: str, changed: dict[str, Any], fault: str
) -> None:
    """The fields of an event must match the row of its type in the guide."""
    stored_items.check(left.values())
    with models.transaction() as write:
        record.add_to(write, "acc_1", kind, changed)
    with pytest.raises(AssertionError, match=fault):
        stored_items.check(left.values())


def test_item_with_too_early_deletion_time_is_detected(latchkey: TestApp) -> None:
    """An item whose deletion time is one second before the end of its validity is an error."""
    ticket = OneTimeToken("digest", kind="dc", client_id="app_1", expires_at=5_000_999, dies_at=4_999)
    ticket.save()
    with pytest.raises(AssertionError, match="may be deleted at 4999, before 5000999"):
        stored_items.check(left.values())
    table = settings.current().table("tickets")
    dynamodb.call("DeleteItem", {"TableName": table, "Key": {"digest": {"S": "digest"}}})
    stored_items.check(left.values())
