"""Settings > Usage shows the values of the counters by hour, day and key."""

import re

import pytest

from chalicelib.accounts import change
from chalicelib.core import telemetry
from chalicelib.credentials.issue import Issued
from chalicelib.limits import tiers
from chalicelib.limits.counter_items import counter_of
from tests.support.console_client import Page, log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp

Numbers = dict[str, tuple[int, int]]


def columns(page: Page) -> tuple[Numbers, Numbers]:
    """Return the admitted and rejected requests of the tables under the charts, by hour and by day."""
    rows = [row for row in page.rows if len(row) == 3 and re.fullmatch(r"\d\d:\d\d UTC|\d{4}-\d\d-\d\d", row[0])]
    numbers = {row[0]: (int(row[1].replace(",", "")), int(row[2].replace(",", ""))) for row in rows}
    hours = {label: pair for label, pair in numbers.items() if "UTC" in label}
    return hours, {label: pair for label, pair in numbers.items() if "UTC" not in label}


def busy(numbers: Numbers) -> Numbers:
    """Return the columns with requests."""
    return {label: pair for label, pair in numbers.items() if pair != (0, 0)}


def by_key(page: Page) -> dict[str, int]:
    """Return the requests in each row, by the last four characters of the key preview or of the label
    for deleted keys.
    """
    rows = page.rows[[row[0] for row in page.rows].index("Name") + 1 :]
    return {row[0].split()[-1][-4:]: int(row[1].replace(",", "")) for row in rows}


def set_usage(
    latchkey: TestApp,
    account: AccountOfTest,
    key: Issued,
    used: int,
    *,
    refused: int = 0,
    tier: tiers.Tier = tiers.FREE,
) -> None:
    """Set the counters of a key's requests in this hour."""
    latchkey.set_counters(account.id, tier, used=used, refused=refused, **{counter_of(key.key.id): used})


def test_requests_are_shown_immediately(latchkey: TestApp) -> None:
    """Each admitted or rejected request is shown immediately, in the quota and in the figures by hour, by day and by
    key.
    """
    account = new_account()
    one, other = latchkey.key(account), latchkey.key(account)
    for key in (one, one, other):
        latchkey.call("GET", "/v1/users/me", key.secret)
    latchkey.set_counters(account.id, tiers.FREE, burst=50)
    latchkey.call("GET", "/v1/users/me", one.secret)
    latchkey.clock.forward(1)
    latchkey.call("GET", "/v1/users/me", one.secret)
    page = log_in_as(latchkey, account).open("/settings/usage")
    assert "This hour 4 of 1,000" in page.text
    assert "50 per second" in page.text
    hours, days = columns(page)
    assert (busy(hours), busy(days)) == ({"10:00 UTC": (4, 1)}, {"2021-12-20": (4, 1)})
    assert by_key(page) == {one.secret[-4:]: 3, other.secret[-4:]: 1}


def test_charts_have_24_hours_and_30_days(latchkey: TestApp) -> None:
    """The charts have 24 hours and 30 days in UTC, without older requests."""
    account = new_account()
    key = latchkey.key(account)
    begun_ms = latchkey.clock.now_ms
    for hours_ago, used in ((30 * 24, 64), (29 * 24, 32), (24, 16), (23, 8), (11, 4), (1, 2), (0, 1)):
        latchkey.clock.now_ms = begun_ms + (30 * 24 - hours_ago) * 3_600_000
        set_usage(latchkey, account, key, used, refused=used)
    assert latchkey.clock.now_ms == begun_ms + 30 * 86_400_000
    page = log_in_as(latchkey, account).open("/settings/usage")
    hours, days = columns(page)
    assert (len(hours), len(days)) == (24, 30)
    assert busy(hours) == {"10:00 UTC": (1, 1), "09:00 UTC": (2, 2), "23:00 UTC": (4, 4), "11:00 UTC": (8, 8)}
    assert busy(days) == {"2022-01-19": (3, 3), "2022-01-18": (28, 28), "2021-12-21": (32, 32)}
    assert by_key(page) == {key.secret[-4:]: 63}
    assert "Last 24 hours 15 admitted 15 rejected" in page.text
    assert "Last 30 days 63 admitted 63 rejected" in page.text


def test_tier_change_keeps_the_history_and_resets_this_hour(latchkey: TestApp) -> None:
    """After a tier change this hour's usage is counted against the new quota, and the charts still show earlier
    requests.
    """
    account = new_account()
    key = latchkey.key(account)
    set_usage(latchkey, account, key, 900, refused=5)
    change.set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor="operator")
    response = latchkey.call("GET", "/v1/limits", key.secret)
    assert response.json()["quota"]["remaining"] == 9_999
    page = log_in_as(latchkey, account).open("/settings/usage")
    assert "This hour 1 of 10,000" in page.text
    hours, days = columns(page)
    assert (busy(hours), busy(days)) == ({"10:00 UTC": (901, 5)}, {"2021-12-20": (901, 5)})
    assert by_key(page) == {key.secret[-4:]: 901}


def test_enterprise_has_no_quota(latchkey: TestApp) -> None:
    """The page of an Enterprise account shows its burst limit only."""
    account = new_account(tier=tiers.ENTERPRISE)
    set_usage(latchkey, account, latchkey.key(account), 123_456, tier=tiers.ENTERPRISE)
    page = log_in_as(latchkey, account).open("/settings/usage")
    assert "This hour 123,456 requests, no quota" in page.text
    assert "1,000 per second" in page.text


def test_deleted_keys_are_counted_together(latchkey: TestApp) -> None:
    """The requests of all deleted keys are shown in one row, below the busiest keys."""
    account = new_account()
    key = latchkey.key(account)
    latchkey.set_counters(account.id, tiers.FREE, used=60, kGONEAAA=20, cGONEBBB=10, **{counter_of(key.key.id): 30})
    page = log_in_as(latchkey, account).open("/settings/usage")
    assert list(by_key(page).items()) == [(key.secret[-4:], 30), ("ther", 30)]
    assert "Other keys and applications" in page.text


def test_unused_account_is_shown_how_to_start(latchkey: TestApp) -> None:
    """The page of an account without requests explains how to start instead of showing an empty chart."""
    page = log_in_as(latchkey, new_account()).open("/settings/usage")
    assert "No requests in the last 30 days" in page.text
    assert "This hour 0 of 1,000" in page.text
    assert "/settings/keys" in page.urls


def test_usage_of_other_accounts_is_not_shown(latchkey: TestApp) -> None:
    """The page shows the account's own usage only."""
    other = new_account(name="Eve")
    set_usage(latchkey, other, latchkey.key(other), 500)
    assert "500" not in log_in_as(latchkey, new_account()).open("/settings/usage").text


def test_usage_page_needs_few_reads(latchkey: TestApp) -> None:
    """The page reads a month with one Query per tier."""
    account = new_account()
    set_usage(latchkey, account, latchkey.key(account), 5)
    console = log_in_as(latchkey, account)
    with telemetry.record_calls() as calls:
        console.open("/settings/usage")
    reads = [call for call in calls.made if call[0] in ("GetItem", "BatchGetItem", "Query")]
    assert [call for call in calls.made if call not in reads] == [("UpdateItem", "latchkey-test-windows")]
    assert len(reads) <= 10


@pytest.mark.parametrize("used", [1, 999, 1_000, 5_000])
def test_chart_is_readable_by_screen_readers(latchkey: TestApp, used: int) -> None:
    """Screen readers get the sums and values of each chart, and a table with all values."""
    account = new_account()
    set_usage(latchkey, account, latchkey.key(account), used, refused=7)
    page = log_in_as(latchkey, account).open("/settings/usage")
    assert f'aria-label="Last 24 hours: {used:,} admitted, 7 rejected.' in page.html
    assert f"<title>10:00 UTC: {used:,} admitted, 7 rejected</title>" in page.html
