"""Fixed paths that browsers, crawlers and security researchers ask for: cheap, and right or not there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.core import clock, settings, telemetry
from tests.support.harness import TestApp


def test_they_cost_nothing(latchkey: TestApp) -> None:
    """None is counted, none asks the database."""
    with (
        telemetry.record_calls() as calls,
        settings.override(replace(settings.current(), security_contact="a@b.example")),
    ):
        for path in ("/favicon.ico", "/robots.txt", "/.well-known/security.txt", "/.well-known/change-password"):
            assert latchkey.call("GET", path).status in (200, 303), path
    assert calls.made == []


def test_favicon_is_an_image(latchkey: TestApp) -> None:
    """With the type that browsers take it for."""
    answer = latchkey.call("GET", "/favicon.ico")
    assert (answer.status, answer.header("Content-Type")) == (200, "image/svg+xml")
    assert answer.body.startswith(b"<svg")


def test_robots_are_kept_out_of_what_is_not_for_everybody(latchkey: TestApp) -> None:
    """RFC 9309: plain text, the landing page, the reference and the status page stay open."""
    answer = latchkey.call("GET", "/robots.txt")
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    lines = answer.body.decode().splitlines()
    assert lines[0] == "User-agent: *"
    assert {"Disallow: /admin", "Disallow: /settings", "Disallow: /v1"} <= set(lines)
    assert not {"Disallow: /", "Disallow: /docs", "Disallow: /status"} & set(lines)


@pytest.mark.parametrize(
    ("setting", "contact"),
    [
        ("security@example.com", "mailto:security@example.com"),
        ("mailto:security@example.com", "mailto:security@example.com"),
        ("https://example.com/report", "https://example.com/report"),
    ],
)
def test_security_contact_is_published(latchkey: TestApp, setting: str, contact: str) -> None:
    """RFC 9116: contact and an end less than a year ahead, in plain text."""
    with settings.override(replace(settings.current(), security_contact=setting)):
        answer = latchkey.call("GET", "/.well-known/security.txt")
    fields = dict(line.split(": ", 1) for line in answer.body.decode().splitlines())
    assert (answer.status, answer.header("Content-Type")) == (200, "text/plain; charset=utf-8")
    assert fields["Contact"] == contact
    assert fields["Canonical"] == "https://api.example.com/.well-known/security.txt"
    now = datetime.fromtimestamp(clock.now_s(), UTC)
    expires = datetime.fromisoformat(fields["Expires"])
    assert timedelta(days=30) < expires - now < timedelta(days=365)


def test_without_a_contact_there_is_no_security_txt(latchkey: TestApp) -> None:
    """A file that names nobody would be worse than none."""
    assert latchkey.call("GET", "/.well-known/security.txt").status == 404


@pytest.mark.parametrize("contact", ["security", "http://example.com", "a b@example.com", "a@example.com\nContact: b"])
def test_contact_that_can_not_be_used_is_refused_at_start(contact: str) -> None:
    """A misspelt one is found before a researcher needs it."""
    with pytest.raises(settings.SettingError, match="LATCHKEY_SECURITY_CONTACT"):
        settings.from_environment({"LATCHKEY_SECURITY_CONTACT": contact})


def test_password_managers_are_led_to_the_account(latchkey: TestApp) -> None:
    """A redirect, as the W3C asks, to where a password is changed."""
    answer = latchkey.call("GET", "/.well-known/change-password")
    assert (answer.status, answer.header("Location")) == (303, "https://api.example.com/settings/account")
