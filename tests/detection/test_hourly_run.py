"""The hourly run checks every account, despite errors, interruptions and pauses."""

from pathlib import Path

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.credentials import change, find
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.tables import Credential
from chalicelib.detection import baselines, hourly_run
from chalicelib.events import kinds
from chalicelib.limits import counter_items
from tests.detection.current_hour import anomalies, key, set_current_hour
from tests.detection.planted import HOUR_S, NETWORK, item, lose_writes, used_for_days
from tests.support.harness import TestApp
from tests.support.mailbox import collect_emails

__all__ = ["key"]


@pytest.mark.parametrize("lost", [kinds.KEY_REVOKED, kinds.NEW_NETWORK])
def test_next_run_completes_after_database_error(latchkey: TestApp, key: Issued, lost: str) -> None:
    """If one of two writes fails, the next run completes both: the key is revoked and one event recorded."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, "nBBBBBBBB")
    with lose_writes(lost):
        background.every_hour()
    assert anomalies(key) == []
    latchkey.clock.forward(HOUR_S)
    for _ in range(2):
        background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]
    assert find.owned_key(key.key.account_id, key.key.id).state == "revoked"


def test_error_with_one_key_does_not_stop_others(latchkey: TestApp) -> None:
    """An error with one key doesn't stop the others, and the next run processes the key that failed."""
    account = latchkey.account()
    keys = [latchkey.key(account, "read") for _ in range(2)]
    Credential(keys[0].key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    counters = [counter_items.counter_of(issued.key.id) for issued in keys]
    latchkey.clock.forward(10 * 24 * HOUR_S)
    hour = clock.hour_of(clock.now_s())
    for ago in range(1, 10 * 24):
        item(
            account, hour - ago * HOUR_S, dict.fromkeys(counters, 40), {NETWORK: counters[0], "nBBBBBBBB": counters[1]}
        )
    item(account, hour, dict.fromkeys(counters, 900), {})
    with lose_writes(kinds.KEY_REVOKED):
        background.every_hour()
    assert [found["key"] for found in anomalies(keys[0])] == [keys[1].key.id]
    background.every_hour()
    assert {found["key"] for found in anomalies(keys[0])} == {issued.key.id for issued in keys}


def test_user_is_emailed_after_retry(latchkey: TestApp, key: Issued, tmp_path: Path) -> None:
    """A run that can't read the account changes nothing, and the next run changes the key and emails the user."""
    change.change_key(key.key.account_id, key.key.id, name=None, wanted=None, on_anomaly="revoke")
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, "nBBBBBBBB")
    send = dynamodb.sender()

    def no_account(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if operation == "GetItem" and request["TableName"].endswith("-accounts"):
            raise Unreachable("NoAnswer", "no answer", {})
        return send(operation, request)

    with collect_emails(tmp_path / "mail") as box:
        with dynamodb.use_sender(no_account):
            background.every_hour()
        assert find.owned_key(key.key.account_id, key.key.id).state == "live"
        latchkey.clock.forward(HOUR_S)
        background.every_hour()
        assert "revoked" in str(box.take_one())
    assert find.owned_key(key.key.account_id, key.key.id).state == "revoked"


def test_error_in_one_account_does_not_stop_others(latchkey: TestApp, key: Issued) -> None:
    """An error in one account is logged and counted, and the account is checked again by the next run."""
    broken = latchkey.account(name="Broken")
    item(broken, clock.hour_of(clock.now_s()), {"used": 1}, {})
    seen: list[str] = []

    def also(account: Account, _items: hourly_run.Items) -> None:
        seen.append(account.id)
        if account.id == key.key.account_id:
            raise LookupError("on purpose")

    assert hourly_run.sweep(clock.now_ms() + 60_000, also=[also]) == 2
    assert seen == [key.key.account_id, broken.id]


def test_interrupted_run_is_continued(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is interrupted is continued by the next run, so that the last accounts are checked, too."""
    monkeypatch.setattr(hourly_run, "PAGE", 2)
    accounts = [latchkey.account(name=f"Ada{number}") for number in range(5)]
    for account in accounts:
        item(account, clock.hour_of(clock.now_s()), {"used": 1}, {})
    seen: list[str] = []

    def also(account: Account, _items: hourly_run.Items) -> None:
        seen.append(account.id)

    for _ in range(3):
        hourly_run.sweep(0, also=[also])
    assert sorted(seen) == sorted(account.id for account in accounts)


def test_run_checks_hours_missed_by_earlier_runs(latchkey: TestApp, key: Issued) -> None:
    """A run also checks the hours that earlier runs missed. Each finding is recorded once, with the hour in which it
    occurred.
    """
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, "nBBBBBBBB", requests=900)
    then = clock.iso(clock.hour_of(clock.now_s()) * 1000)
    for _ in range(4):
        latchkey.clock.forward(HOUR_S)
        set_current_hour(key)
    background.every_hour()
    background.every_hour()
    found = {(found["type"], found["hour"]) for found in anomalies(key)}
    assert found == {(kinds.NEW_NETWORK, then), (kinds.UNUSUAL_TRAFFIC, then)}
    assert len(anomalies(key)) == 2


def test_run_after_long_pause_checks_a_few_hours(latchkey: TestApp, key: Issued) -> None:
    """After a long pause a run checks only the last few hours."""
    background.every_hour()
    for ahead in range(1, 30):
        latchkey.clock.forward(HOUR_S)
        set_current_hour(key, *(["nBBBBBBBB"] if ahead == 3 else []))
    background.every_hour()
    assert anomalies(key) == []


@pytest.mark.parametrize("pages", [1, 2])
def test_hour_seen_early_by_interrupted_run_is_checked_again(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    """If an interrupted run checked an hour before the hour was over, the hour is checked again."""
    monkeypatch.setattr(hourly_run, "PAGE", 1)
    first = used_for_days(latchkey, latchkey.account())
    others = [latchkey.account(name=f"Zoe{number}") for number in range(2)]
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    for other in others:
        item(other, clock.hour_of(clock.now_s()), {"used": 1}, {})
    for _ in range(pages):
        hourly_run.sweep(0)
    set_current_hour(first, "nBBBBBBBB", requests=900)
    latchkey.clock.forward(HOUR_S)
    set_current_hour(first)
    hourly_run.sweep(clock.now_ms() + 60_000)
    assert {found["type"] for found in anomalies(first)} == {kinds.NEW_NETWORK, kinds.UNUSUAL_TRAFFIC}


def test_hour_with_failed_check_is_checked_later(latchkey: TestApp, key: Issued) -> None:
    """An hour whose check failed is checked later, even if it is the hour before the last."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, "nBBBBBBBB")
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key)
    with lose_writes(kinds.NEW_NETWORK):
        background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]


def test_each_account_is_checked_once_in_a_run(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each account is checked once in a run, even if the run starts in the middle of a page."""
    monkeypatch.setattr(hourly_run, "PAGE", 2)
    accounts = [latchkey.account(name=f"Ada{number}") for number in range(5)]
    for account in accounts:
        item(account, clock.hour_of(clock.now_s()), {"used": 1}, {})
    for after in ("", *(account.id for account in accounts), "acc_~"):
        baselines.save_cursor(baselines.Cursor(after, clock.hour_of(clock.now_s())))
        seen: list[str] = []

        def also(account: Account, _items: hourly_run.Items, seen: list[str] = seen) -> None:
            seen.append(account.id)

        assert hourly_run.sweep(clock.now_ms() + 60_000, also=[also]) == 5
        assert sorted(seen) == sorted(account.id for account in accounts)
