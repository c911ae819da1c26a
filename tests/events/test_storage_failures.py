"""A change whose event can't be stored fails with the database's error, which isn't taken for a failed condition."""

from collections.abc import Callable

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import email_links
from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import change, issue, revoke, rotate
from chalicelib.credentials.verify import verify
from chalicelib.detection import leaks
from chalicelib.detection.leaks import Alert
from chalicelib.oauth import consent
from chalicelib.webhooks import endpoints
from tests.oauth.test_consents_stored import store_client
from tests.support.console_client import new_account
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver


def _create_key(latchkey: TestApp, receiver: Receiver) -> Callable[[], object]:
    account = latchkey.account()
    made = issue.new_key(account.id, account.user_id, name="CI", wanted=["read"], expires_at=None, made_by=None)
    return lambda: issue.store_key(made)


def _rename_key(latchkey: TestApp, receiver: Receiver) -> Callable[[], object]:
    key = latchkey.key(latchkey.account()).key
    return lambda: change.change_key(key.account_id, key.id, name="CI", wanted=["read"])


def _rotate_key(latchkey: TestApp, receiver: Receiver) -> Callable[[], object]:
    issued = latchkey.key(latchkey.account())
    maker = verify(issued.secret)
    return lambda: rotate.rotate(maker, issued.key.id, 60)


def _revoke_key(latchkey: TestApp, receiver: Receiver) -> Callable[[], object]:
    key = latchkey.key(latchkey.account()).key
    return lambda: revoke.revoke(key.account_id, key.id)


def _authorize_client(latchkey: TestApp, receiver: Receiver) -> Callable[[], object]:
    account = latchkey.account()
    store_client("app_1")
    return lambda: consent.remember(account.membership, "app_1", {"https://app.example  read"})


def _create_webhook(latchkey: TestApp, receiver: Receiver) -> Callable[[], object]:
    account = latchkey.account()
    return lambda: endpoints.create(account.id, url=receiver.url, name="Ledger", types=[])


def _change_webhook(latchkey: TestApp, receiver: Receiver) -> Callable[[], object]:
    made = endpoints.create(latchkey.account().id, url=receiver.url, name="Ledger", types=[])
    return lambda: endpoints.change(made, url=None, name="Books", types=None)


def _change_email(latchkey: TestApp, receiver: Receiver) -> Callable[[], object]:
    account = new_account()
    secret = email_links.new_link(
        account.user_id, email_links.CHANGE_EMAIL, email="new@example.com", epoch=account.user.session_epoch
    )
    ticket = email_links.find_link(secret, email_links.CHANGE_EMAIL)
    return lambda: email_links.change_email(ticket, account.user)


def _report_leak(latchkey: TestApp, receiver: Receiver) -> Callable[[], object]:
    issued = latchkey.key(latchkey.account())
    alert = Alert(issued.secret, "lk", "https://example.com", "commit", public=False)
    return lambda: leaks.follow_up([alert])


@pytest.mark.parametrize(
    "prepare",
    [
        _create_key,
        _rename_key,
        _rotate_key,
        _revoke_key,
        _authorize_client,
        _create_webhook,
        _change_webhook,
        _change_email,
        _report_leak,
    ],
    ids=lambda prepare: prepare.__name__.strip("_"),
)
def test_change_fails_once_when_event_cannot_be_stored(
    local: TestApp, receiver: Receiver, prepare: Callable[[TestApp, Receiver], Callable[[], object]]
) -> None:
    """If the event of a change can't be stored, the database's error is raised unchanged, without a retry."""
    change_it = prepare(local, receiver)
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("events")})
    with telemetry.record_calls() as calls, pytest.raises(TransactWriteError) as raised:
        change_it()
    assert raised.value.cause_response_code == "ResourceNotFoundException"
    assert [operation for operation, _ in calls.made].count("TransactWriteItems") == 1
