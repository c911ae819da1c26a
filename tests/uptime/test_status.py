"""The status page: what is checked and counted, what readers see, and that they see it while the database is down."""

import re
from dataclasses import replace
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any
from xml.etree import ElementTree

import pytest

from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Unreachable, meaning
from chalicelib.limits import tiers
from chalicelib.uptime import checks, days, incidents, report
from chalicelib.uptime import states as words
from infra import manage
from infra.failed import Mistake
from tests.support.console_client import ConsoleClient
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver

DAY_S = 86_400


def nothing_waits(_now_ms: int) -> None:
    """No delivery is overdue."""


def told(latchkey: TestApp) -> dict[str, Any]:
    """Return what programs are told, read anew."""
    report.forget()
    answer = latchkey.call("GET", "/status.json")
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json()
    return body


def told_as_kept(latchkey: TestApp) -> dict[str, Any]:
    """Return what programs are told, which may have been read some seconds before."""
    body: dict[str, Any] = latchkey.call("GET", "/status.json").json()
    return body


def states(latchkey: TestApp) -> dict[str, str]:
    """Return how each component is."""
    return {each["id"]: each["state"] for each in told(latchkey)["components"]}


def checked(**found: str) -> None:
    """Write down what was found in this minute, the rest up."""
    days.write(clock.now_ms() // 60_000, dict.fromkeys(words.COMPONENTS, "up") | found)


def test_check_asks_over_http_and_says_what_it_found(latchkey: TestApp, receiver: Receiver) -> None:
    """Nobody answers, or something else: down. No URL: nobody knows."""
    for url, found in (
        ("http://127.0.0.1:9", "down"),
        (receiver.url, "down"),
        ("", "unknown"),
    ):
        with settings.in_use(replace(settings.current(), public_url=url)):
            assert checks.check(nothing_waits) == {
                "api": found,
                "oauth": found,
                "webhooks": "up",
                "database": "up",
            }


def test_what_is_up_is_asked_every_five_minutes_and_what_is_not_every_minute(
    latchkey: TestApp, receiver: Receiver
) -> None:
    """The gateway charges for each question."""
    receiver.says = [200]
    with settings.in_use(replace(settings.current(), public_url=receiver.url.removesuffix("/hooks"))):
        for _ in range(10):
            assert checks.check(nothing_waits)["api"] == "up"
            latchkey.clock.forward(60)
        assert receiver.looked_at.count("/health") == 2
        receiver.says = [503]
        for _ in range(10):
            found = checks.check(nothing_waits)
            latchkey.clock.forward(60)
    assert found["api"] == "down"
    assert receiver.looked_at.count("/health") > 2 + 5


@pytest.mark.parametrize(
    ("status", "found"),
    [(200, "up"), (204, "down"), (302, "down"), (403, "down"), (404, "down"), (429, "degraded")]
    + [(status, "down") for status in (500, 502, 503, 504)],
)
def test_only_a_200_is_up_and_only_a_429_is_better_than_down(
    latchkey: TestApp, receiver: Receiver, status: int, found: str
) -> None:
    """A gateway answers for a function that fails, or that isn't there; that is down, and counts as minutes down."""
    receiver.says = [status]
    with settings.in_use(replace(settings.current(), public_url=receiver.url.removesuffix("/hooks"))):
        checks.check(nothing_waits)
    api, oauth = told(latchkey)["components"][:2]
    assert (api["state"], oauth["state"]) == (found, found)
    assert api["days"][-1]["minutes_down"] == (found == "down")
    assert api["uptime_percent"] == ("0" if found == "down" else "100")


@pytest.mark.parametrize(
    ("late_ms", "found"), [(None, "up"), (300_000, "up"), (300_001, "degraded"), (1_800_001, "down")]
)
def test_webhooks_are_as_late_as_their_latest(latchkey: TestApp, late_ms: int | None, found: str) -> None:
    """Five minutes are normal; half an hour isn't."""
    with settings.in_use(replace(settings.current(), public_url="")):
        assert checks.check(lambda _: late_ms)["webhooks"] == found


@pytest.mark.parametrize(("takes_ms", "found"), [(1_000, "up"), (1_001, "degraded")])
def test_database_that_takes_longer_than_a_second_is_degraded(latchkey: TestApp, takes_ms: int, found: str) -> None:
    """It answers, and later than it should."""
    times_ns = count(0, takes_ms * 1_000_000)
    with settings.in_use(replace(settings.current(), public_url="")), clock.measured_by(lambda: next(times_ns)):
        assert checks.check(nothing_waits)["database"] == found


def test_minute_is_counted_once_whoever_checks_it(latchkey: TestApp) -> None:
    """Two functions, or one that tries again."""
    checked(api="down")
    checked(api="down")
    latchkey.clock.forward(60)
    checked()
    (today,) = told(latchkey)["components"][0]["days"][-1:]
    assert (today["minutes_checked"], today["minutes_down"], today["state"]) == (2, 1, "degraded")


def test_clock_that_jumps_back_counts_nothing_twice(latchkey: TestApp) -> None:
    """The minutes that it has passed already are in the count."""
    for _ in range(3):
        checked()
        latchkey.clock.forward(60)
    latchkey.clock.forward(-120)
    checked(api="down")
    assert told(latchkey)["components"][0]["days"][-1]["minutes_down"] == 0


def test_days_show_how_long_it_was_down_and_how_much_is_known(latchkey: TestApp) -> None:
    """Ninety days, the oldest first; a day without checks is no data."""
    for _ in range(10):
        checked(database="down")
        latchkey.clock.forward(60)
    latchkey.clock.forward(2 * DAY_S)
    for _ in range(30):
        checked(webhooks="degraded")
        latchkey.clock.forward(60)
    shown = {each["id"]: each for each in told(latchkey)["components"]}
    assert [day["state"] for day in shown["database"]["days"][-3:]] == ["down", "unknown", "up"]
    assert [day["state"] for day in shown["webhooks"]["days"][-3:]] == ["up", "unknown", "degraded"]
    assert len(shown["api"]["days"]) == 90
    assert (shown["database"]["uptime_percent"], shown["api"]["uptime_percent"]) == ("75", "100")


def test_what_nobody_has_checked_is_not_known(latchkey: TestApp) -> None:
    """Neither before the first check nor five minutes after the last."""
    assert set(states(latchkey).values()) == {"unknown"}
    checked(oauth="degraded")
    assert states(latchkey) == {"api": "up", "oauth": "degraded", "webhooks": "up", "database": "up"}
    latchkey.clock.forward(6 * 60)
    assert set(states(latchkey).values()) == {"unknown"}


@pytest.mark.parametrize(
    ("found", "whole", "headline"),
    [
        ({}, "up", "Everything is up."),
        (
            {"api": "unknown", "oauth": "unknown"},
            "partly_checked",
            "What is checked is up; some parts are not checked.",
        ),
        ({"api": "unknown", "webhooks": "degraded"}, "degraded", "Something is slower, or later, than it should be."),
        ({"api": "unknown", "database": "down"}, "down", "Something is down."),
        (dict.fromkeys(words.COMPONENTS, "unknown"), "unknown", "Nobody has checked for some minutes."),
    ],
)
def test_whole_is_as_its_worst_part_and_never_more_than_is_known(
    latchkey: TestApp, found: dict[str, str], whole: str, headline: str
) -> None:
    """A deployment that knows no public URL can't check its API: not everything is up then."""
    checked(**found)
    assert told(latchkey)["state"] == whole
    page = ConsoleClient(latchkey).open("/status").text
    assert headline in page
    assert (whole == "up") == ("Everything is up." in page)


def test_page_says_how_often_each_part_is_checked(latchkey: TestApp) -> None:
    """The API and the authorization server, found up, are not asked each minute."""
    checked()
    page = ConsoleClient(latchkey).open("/status").text
    assert (
        "Checked every minute, the API and the authorization server every five minutes while they are up; last at"
        in page
    )


def test_page_counts_only_days_that_were_checked(latchkey: TestApp) -> None:
    """A service of three minutes doesn't claim 90 days; one of two days tells of two."""
    checked(api="up")
    assert "1 day checked of the last 90: 100 % up" in ConsoleClient(latchkey).open("/status").text
    assert "90 days:" not in ConsoleClient(latchkey).open("/status").text
    latchkey.clock.forward(86_400)
    checked(api="up")
    assert "2 days checked of the last 90: 100 % up" in ConsoleClient(latchkey).open("/status").text


@pytest.mark.parametrize("api", ["up", "unknown"])
def test_open_incident_has_the_headline_when_the_checks_find_nothing(latchkey: TestApp, api: str) -> None:
    """Readers are not told that all is well above what isn't."""
    checked(api=api)
    incidents.open_one("Slow answers", "We are looking into it.", ["api"])
    assert (
        "The checks find nothing wrong; read below what they don't see." in ConsoleClient(latchkey).open("/status").text
    )


def test_what_could_not_be_written_is_written_with_the_next_check(latchkey: TestApp) -> None:
    """As minutes in which the database was down."""
    checked()
    send = dynamodb.sender()
    with dynamodb.sent_by(_unreachable):
        for _ in range(3):
            latchkey.clock.forward(60)
            checked()
    assert dynamodb.sender() is send
    latchkey.clock.forward(60)
    checked()
    (database,) = [each for each in told(latchkey)["components"] if each["id"] == "database"]
    assert (database["state"], database["days"][-1]["minutes_down"], database["days"][-1]["minutes_checked"]) == (
        "up",
        3,
        5,
    )


def test_page_stays_readable_when_the_database_is_down(latchkey: TestApp) -> None:
    """As page, JSON and RSS; it says so, and shows what was read before."""
    checked()
    incidents.open_one("Slow answers", "We are looking into it.", ["api"])
    assert "Slow answers" in ConsoleClient(latchkey).open("/status").text
    latchkey.clock.forward(60)
    with dynamodb.sent_by(_unreachable):
        page = ConsoleClient(latchkey).open("/status")
        body = latchkey.call("GET", "/status.json").json()
        feed = latchkey.call("GET", "/status.rss")
    assert (page.status, feed.status) == (200, 200)
    assert "Something is down." in page.text
    assert "Slow answers" in page.text
    assert (body["state"], body["history"]) == ("down", "read")
    assert {each["id"]: each["state"] for each in body["components"]}["database"] == "down"


def test_new_process_says_that_it_can_not_read_what_was(latchkey: TestApp) -> None:
    """Nothing is made up."""
    latchkey.forget()
    with dynamodb.sent_by(_unreachable):
        page = ConsoleClient(latchkey).open("/status")
        body = latchkey.call("GET", "/status.json").json()
    assert page.status == 200
    assert "can't be read right now" in page.text
    assert (body["history"], body["components"][3]["state"]) == ("unreadable", "down")


FAULTS = {
    "silent": Unreachable("NoAnswer", "no answer", {}),
    **{
        code: meaning({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}})
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
def test_page_is_readable_however_the_database_fails(latchkey: TestApp, fault: str, fails: str, path: str) -> None:
    """By silence, by refusing, by a table or a key that isn't there, by having no room: as page, JSON and RSS."""
    checked()
    real = dynamodb.sender()

    def send(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        days_are_asked_for = request.get("ExpressionAttributeValues", {}).get(":day") is not None
        if fails == "only the incidents" and days_are_asked_for:
            return real(operation, request)
        raise FAULTS[fault]

    with dynamodb.sent_by(send):
        answer = latchkey.call("GET", path)
    assert answer.status == 200
    if path == "/status.json":
        assert (answer.json()["state"], answer.json()["history"]) == ("down", "unreadable")


def test_readers_are_not_counted(latchkey: TestApp) -> None:
    """Counting asks the database; so there is no limit, the headers are nobody's, and a spent one refuses nothing."""
    latchkey.counted("ip_203.0.113.7", tiers.ANONYMOUS, used=3600)
    for path in ("/status", "/status.json", "/status.rss"):
        answer = latchkey.call("GET", path)
        assert (answer.status, answer.header("X-RateLimit-Limit")) == (200, "0")
    with telemetry.calls_watched() as calls:
        latchkey.call("GET", "/status.json")
    assert calls.made == []


def test_while_the_database_is_silent_one_reader_waits_for_it_in_five_seconds(latchkey: TestApp) -> None:
    """The others are told at once that it is down; when it answers again, readers see that within 5 seconds."""
    asked: list[str] = []

    def silent(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        asked.append(operation)
        return _unreachable(operation, request)

    checked()
    with dynamodb.sent_by(silent):
        for _ in range(3):
            assert told_as_kept(latchkey)["state"] == "down"
        of_one_reader = len(asked)
        latchkey.clock.forward(4)
        assert told_as_kept(latchkey)["state"] == "down"
    assert (of_one_reader, len(asked)) == (dynamodb.AT_ONCE.unavailable, dynamodb.AT_ONCE.unavailable)
    latchkey.clock.forward(1)
    assert told_as_kept(latchkey)["state"] == "up"


def test_crowd_of_readers_reads_once_in_15_seconds(latchkey: TestApp) -> None:
    """The page costs two reads, however many look at it."""
    assert latchkey.call("GET", "/status.json").status == 200
    with dynamodb.sent_by(_unreachable):
        assert latchkey.call("GET", "/status.json").json()["history"] == "read"
    latchkey.clock.forward(1)
    assert latchkey.call("GET", "/status").status == 200


def test_incident_is_opened_updated_and_closed(latchkey: TestApp, capsys: pytest.CaptureFixture[str]) -> None:
    """By the operator's command; readers see each step, on the page and in the feed."""
    run("--title", "Slow <b>answers</b>", "--text", "Looking & seeing.", "--components", "api,database")
    incident_id = capsys.readouterr().out.split()[0]
    latchkey.clock.forward(60)
    run("--id", incident_id, "--text", "A partition was hot.", "--state", "identified")
    latchkey.clock.forward(60)
    run("--id", incident_id, "--text", "Fast again.", "--close")
    (shown,) = told(latchkey)["incidents"]
    assert [each["state"] for each in shown["updates"]] == ["investigating", "identified", "resolved"]
    assert (shown["components"], shown["closed_at"]) == (["api", "database"], clock.iso(latchkey.clock.now_ms))
    page = ConsoleClient(latchkey).open("/status")
    assert "Slow <b>answers</b>" in page.text
    assert "<b>answers" not in page.html
    feed = ElementTree.fromstring(latchkey.call("GET", "/status.rss").body)  # noqa: S314 - our own
    items = feed.findall("./channel/item")
    assert [item.findtext("description") for item in items] == [
        "Fast again.",
        "A partition was hot.",
        "Looking & seeing.",
    ]
    assert items[2].findtext("pubDate") == "Mon, 20 Dec 2021 10:00:00 GMT"
    assert len({item.findtext("guid") for item in items}) == 3


def test_feed_is_what_readers_of_feeds_ask_for(latchkey: TestApp) -> None:
    """RSS 2.0 with a link to itself, items that are no links by their ids, and times as RFC 822 writes them."""
    empty = ElementTree.fromstring(latchkey.call("GET", "/status.rss").body)  # noqa: S314 - our own
    assert empty.find("./channel/lastBuildDate") is None
    first = incidents.open_one("Slow", "Looking.", [])
    latchkey.clock.forward(60)
    incidents.open_one("Also slow", "Looking here, too.", [])
    latchkey.clock.forward(60)
    incidents.update(first.at, "Mended.", words.RESOLVED)
    report.forget()
    answer = latchkey.call("GET", "/status.rss")
    assert answer.header("Content-Type") == "application/rss+xml; charset=utf-8"
    root = ElementTree.fromstring(answer.body)  # noqa: S314 - our own
    assert (root.tag, root.get("version"), [each.tag for each in root]) == ("rss", "2.0", ["channel"])
    channel = root[0]
    for required in ("title", "link", "description"):
        assert channel.findtext(required)
    (link,) = channel.findall("{http://www.w3.org/2005/Atom}link")
    own = "https://api.example.com/status.rss"
    assert link.attrib == {"rel": "self", "type": "application/rss+xml", "href": own}
    assert latchkey.call("GET", "/status.rss").status == 200
    assert parsedate_to_datetime(str(channel.findtext("lastBuildDate"))).timestamp() * 1000 == latchkey.clock.now_ms
    items = channel.findall("item")
    assert len({item.findtext("guid") for item in items}) == len(items) == 3
    for item in items:
        (guid,) = item.findall("guid")
        assert (guid.get("isPermaLink"), item.findtext("link")) == ("false", "https://api.example.com/status")
        moment = str(item.findtext("pubDate"))
        assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", moment)
        assert parsedate_to_datetime(moment).timestamp() * 1000 <= latchkey.clock.now_ms


def test_lines_and_every_kind_of_letter_can_be_told(latchkey: TestApp) -> None:
    """On the page and in the feed, which stays well-formed."""
    text = 'First line.\nZweite Zeile: <5\u00a0s & "schnell" – 日本 🎉'
    run("--title", "Langsam & träge", "--text", text)
    (shown,) = told(latchkey)["incidents"]
    assert shown["updates"][0]["text"] == text
    feed = ElementTree.fromstring(latchkey.call("GET", "/status.rss").body)  # noqa: S314 - our own
    assert feed.findtext("./channel/item/description") == text


def test_closed_incident_stays_closed(latchkey: TestApp) -> None:
    """What was said is never changed; what never was can't be updated."""
    incident = incidents.open_one("Slow", "Looking.", [])
    incidents.update(incident.at, "Mended.", words.RESOLVED)
    for incident_id in (incident.at, "inc_" + "0" * 20):
        with pytest.raises(errors.Conflict):
            incidents.update(incident_id, "Again.", words.MONITORING)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--title", "Slow"], "TEXT must say"),
        (["--text", "Looking."], "TITLE must say"),
        (["--title", "x" * 101, "--text", "Looking."], "TITLE takes at most 100 characters"),
        (["--title", "Slow", "--text", "Looking.", "--components", "api moon"], "COMPONENTS takes some of"),
        (["--id", "7", "--text", "Looking."], "ID takes"),
        (["--title", "Slow", "--text", "Looking.", "--state", "lost"], "STATE takes"),
        (["--title", "Slow", "--text", "Fast again.", "--close"], "Which incident is over"),
        (["--text", "Fast again.", "--close"], "Which incident is over"),
        (["--title", "Slow", "--text", "Fast again.", "--state", "resolved"], "Which incident is over"),
        (["--title", "Slow", "--text", "See \x1b[1mhere\x1b[0m."], r"TEXT has .* U\+001B"),
        (["--title", "Slow", "--text", "No such \ud800."], r"TEXT has .* U\+D800"),
        (["--title", "Slow", "--text", "No such \uffff."], r"TEXT has .* U\+FFFF"),
        (["--title", "Slow\nanswers", "--text", "Looking."], r"TITLE has .* U\+000A"),
        (["--title", "Slow\0", "--text", "Looking."], r"TITLE has .* U\+0000"),
    ],
)
def test_operator_is_told_what_was_wrong(latchkey: TestApp, words: list[str], problem: str) -> None:
    """And nothing is opened."""
    with pytest.raises(Mistake, match=problem):
        run(*words)
    assert told(latchkey)["incidents"] == []


def run(*words: str) -> None:
    """Run the operator's command on this house."""
    options = manage.parsed(["incident", *words])
    options.run(options)


def _unreachable(operation: str, _request: dynamodb.Json) -> dynamodb.Json:
    raise Unreachable("NoAnswer", f"{operation} got no answer", {})
