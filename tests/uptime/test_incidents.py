"""Incidents: the operator's command, the status page and the feed."""

import re
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

import pytest

from chalicelib.core import clock, errors, process_cache
from chalicelib.uptime import incidents
from chalicelib.uptime import states as words
from infra import manage
from infra.failed import Mistake
from tests.support.console_client import ConsoleClient
from tests.support.harness import TestApp
from tests.uptime.status_page import read_status


def test_incident_is_opened_updated_and_closed(latchkey: TestApp, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step of the operator's command appears on the page and in the feed."""
    run_incident_command(
        "--title", "Slow <b>answers</b>", "--text", "Looking & seeing.", "--components", "api,database"
    )
    incident_id = capsys.readouterr().out.split()[0]
    latchkey.clock.forward(60)
    run_incident_command("--id", incident_id, "--text", "A partition was hot.", "--state", "identified")
    latchkey.clock.forward(60)
    run_incident_command("--id", incident_id, "--text", "Fast again.", "--close")
    (shown,) = read_status(latchkey)["incidents"]
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


def test_feed_is_valid_rss(latchkey: TestApp) -> None:
    """The feed is RSS 2.0 with a link to itself, ids that aren't links, and RFC 822 dates."""
    empty = ElementTree.fromstring(latchkey.call("GET", "/status.rss").body)  # noqa: S314 - our own
    assert empty.find("./channel/lastBuildDate") is None
    first = incidents.open_incident("Slow", "Looking.", [])
    latchkey.clock.forward(60)
    incidents.open_incident("Also slow", "Looking here, too.", [])
    latchkey.clock.forward(60)
    incidents.update(first.at, "Mended.", words.RESOLVED)
    process_cache.forget()
    response = latchkey.call("GET", "/status.rss")
    assert response.header("Content-Type") == "application/rss+xml; charset=utf-8"
    root = ElementTree.fromstring(response.body)  # noqa: S314 - our own
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


def test_incident_text_may_contain_lines_and_unicode(latchkey: TestApp) -> None:
    """The feed stays well-formed with line breaks and any Unicode characters in an incident's text."""
    text = 'First line.\nZweite Zeile: <5\u00a0s & "schnell" – 日本 🎉'
    run_incident_command("--title", "Langsam & träge", "--text", text)
    (shown,) = read_status(latchkey)["incidents"]
    assert shown["updates"][0]["text"] == text
    feed = ElementTree.fromstring(latchkey.call("GET", "/status.rss").body)  # noqa: S314 - our own
    assert feed.findtext("./channel/item/description") == text


def test_closed_incident_cannot_be_updated(latchkey: TestApp) -> None:
    """An update of a closed or unknown incident is an error."""
    incident = incidents.open_incident("Slow", "Looking.", [])
    incidents.update(incident.at, "Mended.", words.RESOLVED)
    for incident_id in (incident.at, "inc_" + "0" * 20):
        with pytest.raises(errors.Conflict):
            incidents.update(incident_id, "Again.", words.MONITORING)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--title", "Slow"], "TEXT is missing"),
        (["--text", "Looking."], "TITLE is missing"),
        (["--title", "x" * 101, "--text", "Looking."], "TITLE takes at most 100 characters"),
        (["--title", "Slow", "--text", "Looking.", "--components", "api moon"], "COMPONENTS takes some of"),
        (["--id", "7", "--text", "Looking."], "ID takes"),
        (["--title", "Slow", "--text", "Looking.", "--state", "lost"], "STATE takes"),
        (["--title", "Slow", "--text", "Fast again.", "--close"], "ID is missing"),
        (["--text", "Fast again.", "--close"], "ID is missing"),
        (["--title", "Slow", "--text", "Fast again.", "--state", "resolved"], "ID is missing"),
        (["--title", "Slow", "--text", "See \x1b[1mhere\x1b[0m."], r"TEXT has .* U\+001B"),
        (["--title", "Slow", "--text", "No such \ud800."], r"TEXT has .* U\+D800"),
        (["--title", "Slow", "--text", "No such \uffff."], r"TEXT has .* U\+FFFF"),
        (["--title", "Slow\nanswers", "--text", "Looking."], r"TITLE has .* U\+000A"),
        (["--title", "Slow\0", "--text", "Looking."], r"TITLE has .* U\+0000"),
    ],
)
def test_invalid_incident_command_is_rejected_with_reason(latchkey: TestApp, words: list[str], problem: str) -> None:
    """An invalid command prints the reason and opens no incident."""
    with pytest.raises(Mistake, match=problem):
        run_incident_command(*words)
    assert read_status(latchkey)["incidents"] == []


def run_incident_command(*words: str) -> None:
    """Run the operator's incident command."""
    options = manage.parsed(["incident", *words])
    options.run(options)
