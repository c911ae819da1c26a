"""Tables of a local database that an earlier version created."""

from chalicelib.accounts import sessions
from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from infra import data
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import TestApp


def test_table_of_an_earlier_version_gets_its_new_index(latchkey: TestApp) -> None:
    """An older table gets its new index, which includes the existing items."""
    account = new_account()
    log_in_as(latchkey, account)
    name = settings.current().table("sessions")
    dynamodb.call(
        "UpdateTable", {"TableName": name, "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by_holder"}}]}
    )
    assert not dynamodb.call("DescribeTable", {"TableName": name})["Table"].get("GlobalSecondaryIndexes")
    assert data.create_missing_tables() == []
    assert len(sessions.of_user(account.user, 10)[0]) == 1
