"""Daily counts of check results."""

from chalicelib.core.dynamodb import client as dynamodb
from tests.support.harness import TestApp
from tests.uptime.status_page import fail_request, read_status, store_check

DAY_S = 86_400


def test_minute_is_counted_once(latchkey: TestApp) -> None:
    """A minute is counted once, although two functions check it or a write is retried."""
    store_check(api="down")
    store_check(api="down")
    latchkey.clock.forward(60)
    store_check()
    (today,) = read_status(latchkey)["components"][0]["days"][-1:]
    assert (today["minutes_checked"], today["minutes_down"], today["state"]) == (2, 1, "degraded")


def test_clock_set_back_counts_no_minute_twice(latchkey: TestApp) -> None:
    """If the clock is set back, minutes that were already counted are skipped."""
    for _ in range(3):
        store_check()
        latchkey.clock.forward(60)
    latchkey.clock.forward(-120)
    store_check(api="down")
    assert read_status(latchkey)["components"][0]["days"][-1]["minutes_down"] == 0


def test_days_show_minutes_down_and_checked(latchkey: TestApp) -> None:
    """The last 90 days are listed oldest first, each with the number of minutes that were checked and that were down. A
    day without checks has no data.
    """
    for _ in range(10):
        store_check(database="down")
        latchkey.clock.forward(60)
    latchkey.clock.forward(2 * DAY_S)
    for _ in range(30):
        store_check(webhooks="degraded")
        latchkey.clock.forward(60)
    shown = {each["id"]: each for each in read_status(latchkey)["components"]}
    assert [day["state"] for day in shown["database"]["days"][-3:]] == ["down", "unknown", "up"]
    assert [day["state"] for day in shown["webhooks"]["days"][-3:]] == ["up", "unknown", "degraded"]
    assert len(shown["api"]["days"]) == 90
    assert (shown["database"]["uptime_percent"], shown["api"]["uptime_percent"]) == ("75", "100")


def test_unwritten_checks_are_written_with_next_check(latchkey: TestApp) -> None:
    """Check results that can't be written are stored with the next check. The database counts as down in
    these minutes.
    """
    store_check()
    send = dynamodb.sender()
    with dynamodb.use_sender(fail_request):
        for _ in range(3):
            latchkey.clock.forward(60)
            store_check()
    assert dynamodb.sender() is send
    latchkey.clock.forward(60)
    store_check()
    (database,) = [each for each in read_status(latchkey)["components"] if each["id"] == "database"]
    assert (database["state"], database["days"][-1]["minutes_down"], database["days"][-1]["minutes_checked"]) == (
        "up",
        3,
        5,
    )
