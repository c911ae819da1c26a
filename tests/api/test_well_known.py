"""Fixed paths that browsers, crawlers and security researchers request."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.core import clock, settings, telemetry
from tests.support.harness import TestApp


def test_well_known_paths_cost_no_call(latchkey: TestApp) -> None:
    """Requests for well-known paths make no database call."""
    with (
        telemetry.record_calls() as calls,
        settings.override(replace(settings.current(), security_contact="a@b.example")),
    ):
        for path in ("/favicon.ico", "/robots.txt", "/.well-known/security.txt", "/.well-known/change-password"):
            assert latchkey.call("GET", path).status in (200, 303), path
    assert calls.made == []


def test_favicon_is_an_image(latchkey: TestApp) -> None:
    """The favicon has an image's media type."""
    response = latchkey.call("GET", "/favicon.ico")
    assert (response.status, response.header("Content-Type")) == (200, "image/svg+xml")
    assert response.body.startswith(b"<svg")


def test_robots_txt_disallows_private_paths(latchkey: TestApp) -> None:
    """The file robots.txt disallows private paths and allows landing page, reference and status page (RFC 9309)."""
    response = latchkey.call("GET", "/robots.txt")
    assert response.header("Content-Type") == "text/plain; charset=utf-8"
    lines = response.body.decode().splitlines()
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
    """The file security.txt has the contact and expires within a year (RFC 9116)."""
    with settings.override(replace(settings.current(), security_contact=setting)):
        response = latchkey.call("GET", "/.well-known/security.txt")
    fields = dict(line.split(": ", 1) for line in response.body.decode().splitlines())
    assert (response.status, response.header("Content-Type")) == (200, "text/plain; charset=utf-8")
    assert fields["Contact"] == contact
    assert fields["Canonical"] == "https://api.example.com/.well-known/security.txt"
    now = datetime.fromtimestamp(clock.now_s(), UTC)
    expires = datetime.fromisoformat(fields["Expires"])
    assert timedelta(days=30) < expires - now < timedelta(days=365)


def test_security_txt_without_a_contact_is_a_404(latchkey: TestApp) -> None:
    """The file security.txt doesn't exist unless a contact is configured."""
    assert latchkey.call("GET", "/.well-known/security.txt").status == 404


@pytest.mark.parametrize("contact", ["security", "http://example.com", "a b@example.com", "a@example.com\nContact: b"])
def test_invalid_security_contact_is_rejected_at_start(contact: str) -> None:
    """An invalid security contact is rejected at start."""
    with pytest.raises(settings.SettingError, match="LATCHKEY_SECURITY_CONTACT"):
        settings.from_environment({"LATCHKEY_SECURITY_CONTACT": contact})


def test_change_password_redirects_to_the_profile(latchkey: TestApp) -> None:
    """The path /.well-known/change-password redirects to the profile, which has the form (a W3C specification)."""
    response = latchkey.call("GET", "/.well-known/change-password")
    assert (response.status, response.header("Location")) == (303, "https://api.example.com/settings/profile")
