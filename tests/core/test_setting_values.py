"""Which values each setting takes: both sides of every bound, and what the settings say of themselves."""

import os
import re

import pytest

from chalicelib.core import settings
from chalicelib.core.settings import SettingError, Settings

DIGEST = "0123456789abcdef" * 4
GOOD = [
    *[("STAGE", value) for value in ("a", "a-1", "a" * 20)],
    *[("BRAND", value) for value in ("a", "a1", "a" * 10)],
    *[("KEY_KIND", value) for value in ("live", "test")],
    *[("PUBLIC_URL", value) for value in ("http://a", "https://api.example.com:8443", "https://a.example/v0/x")],
    *[
        ("ALLOWED_ORIGIN", value)
        for value in ("*", "http://localhost:1", "https://a-b.example", "https://a.example:65535")
    ],
    *[("ALLOWED_ORIGIN", value) for value in ("http://[::1]", "https://[2001:db8::1]:8443")],
    *[("BURST_WINDOW_S", value) for value in ("1", "2", "3", "30", "60")],
    *[("REGISTRATION", value) for value in ("open", "closed", DIGEST)],
    *[("MAIL_FROM", value) for value in ("a@b.example", "Acme <a@b.example>")],
    *[("EVENTS_KEPT_DAYS", value) for value in ("1", "3650")],
    *[("LOG_IN_ATTEMPTS_PER_EMAIL", value) for value in ("1", "1000")],
    *[("LOG_IN_ATTEMPTS_PER_NETWORK", value) for value in ("1", "100000")],
    *[("WIRE", value) for value in ("lean", "botocore")],
    *[("LOG_LEVEL", value) for value in ("DEBUG", "INFO", "WARNING", "ERROR")],
    *[("SECURITY_CONTACT", value) for value in ("mailto:a@b", "https://a.example/!~", "tel:+1", "a@b.example")],
]
BAD = [
    *[("STAGE", value) for value in ("1a", "-a", "a" * 21, "a_b", "a\n")],
    *[("BRAND", value) for value in ("1a", "a" * 11, "a-b", "A", "a\n")],
    *[("KEY_KIND", value) for value in ("Live", "prod")],
    *[
        ("PUBLIC_URL", value)
        for value in ("ftp://a", "https:///a", "https://a b", "https://a/#x", "https://a/?x", "xhttps://a")
    ],
    *[
        ("ALLOWED_ORIGIN", value)
        for value in ("https://A.example", "https://a.example:", "https://a.example:655355", "ws://a")
    ],
    *[("ALLOWED_ORIGIN", value) for value in ("https://[::1", "https://[g::1]", "xhttps://a", "https://a/b")],
    *[("BURST_WINDOW_S", value) for value in ("0", "7", "59", "61", "120", "1.5", "+1", " 1")],
    *[("REGISTRATION", value) for value in ("Open", DIGEST[:-1], DIGEST + "0", DIGEST.upper(), "any")],
    *[("MAIL_FROM", value) for value in ("nobody", "b.example")],
    *[("EVENTS_KEPT_DAYS", value) for value in ("0", "-1", "x")],
    *[("LOG_IN_ATTEMPTS_PER_EMAIL", value) for value in ("0", "x")],
    *[("LOG_IN_ATTEMPTS_PER_NETWORK", value) for value in ("0", "x")],
    *[("WIRE", value) for value in ("Lean", "boto3")],
    *[("LOG_LEVEL", value) for value in ("info", "CRITICAL", "TRACE")],
    *[("SECURITY_CONTACT", value) for value in ("http://a.example", "nobody", "a b@c", "mailto:", "a@", "@b")],
]
TAKES = {
    "STAGE": "lower-case letters, digits and hyphens",
    "BRAND": "1 to 10 lower-case letters and digits",
    "KEY_KIND": "live or test",
    "PUBLIC_URL": "a URL",
    "ALLOWED_ORIGIN": "* or one origin",
    "BURST_WINDOW_S": "a divisor of 60",
    "REGISTRATION": "open, closed, or the SHA-256 of an initial token in hex",
    "MAIL_FROM": "an address like name@example.com",
    "EVENTS_KEPT_DAYS": "a whole number above 0",
    "LOG_IN_ATTEMPTS_PER_EMAIL": "a whole number above 0",
    "LOG_IN_ATTEMPTS_PER_NETWORK": "a whole number above 0",
    "WIRE": "lean or botocore",
    "LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR",
    "SECURITY_CONTACT": "an email address, or an https:, mailto: or tel: URI",
}


def chosen(name: str, value: str) -> Settings:
    """Return the settings of an environment with one variable."""
    return settings.from_environment({f"LATCHKEY_{name}": value})


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_value_within_the_bounds_is_taken_as_it_is(name: str, value: str) -> None:
    """A number as a number."""
    found = getattr(chosen(name, value), name.lower())
    assert str(found) == value
    assert type(found) is type(getattr(Settings(), name.lower()))


@pytest.mark.parametrize(("name", "value"), BAD)
def test_value_beyond_the_bounds_is_refused_with_what_the_setting_takes(name: str, value: str) -> None:
    """The variable, what it takes, and what was given."""
    given = "something else" if name == "REGISTRATION" else repr(value)
    takes = TAKES[name]
    if re.fullmatch(r"\d+", value) is None and isinstance(getattr(Settings(), name.lower()), int):
        takes = "a whole number"
    elif isinstance(getattr(Settings(), name.lower()), int):
        given = value
    with pytest.raises(SettingError) as refused:
        chosen(name, value)
    assert str(refused.value) == f"LATCHKEY_{name} takes {takes}, not {given}. Change it, or leave it unset."


def test_every_setting_with_a_bound_is_tried_on_both_sides() -> None:
    """A new one is added to the lists above."""
    assert {name for name, _ in GOOD} == {name for name, _ in BAD} == TAKES.keys()


def test_defaults_are_those_that_the_deploying_page_lists() -> None:
    """And what a stage is that sets nothing."""
    assert Settings() == Settings(
        stage="local",
        brand="lk",
        key_kind="test",
        public_url="",
        allowed_origin="*",
        burst_window_s=1,
        client_ip_header="",
        resources="",
        registration="open",
        mail_from="",
        mail_folder="",
        stage_key_file="",
        events_kept_days=90,
        log_in_attempts_per_email=20,
        log_in_attempts_per_network=300,
        wire="lean",
        log_level="INFO",
        security_contact="",
    )


def test_settings_say_what_follows_from_them() -> None:
    """Tables by stage, other resources one by one, days in seconds."""
    made = Settings(stage="dev", resources="https://a.example  https://b.example", events_kept_days=2)
    assert made.table("keys") == "latchkey-dev-keys"
    assert made.other_resources == {"https://a.example", "https://b.example"}
    assert Settings().other_resources == frozenset()
    assert made.events_kept_s == 2 * 86_400


def test_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the first who asks; a block of other settings leaves what was there, also when it fails."""
    monkeypatch.setattr(settings, "_current", None)
    monkeypatch.setenv("LATCHKEY_STAGE", "first")
    first = settings.current()
    monkeypatch.setenv("LATCHKEY_STAGE", "second")
    assert settings.current() is first
    assert first.stage == "first"
    with pytest.raises(ValueError, match=r"^fault$"), settings.in_use(Settings(stage="other")):
        raise ValueError("fault")
    assert settings.current() is first


def test_what_is_awss_is_read_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda changes the trace with each invocation."""
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    monkeypatch.delenv("AWS_XRAY_DAEMON_ADDRESS", raising=False)
    monkeypatch.delenv("AWS_CHALICE_CLI_MODE", raising=False)
    assert (settings.trace_header(), settings.trace_daemon()) == ("", "127.0.0.1:2000")
    assert not settings.under_chalice_cli()
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1")
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("AWS_CHALICE_CLI_MODE", "true")
    assert (settings.trace_header(), settings.trace_daemon()) == ("Root=1", "127.0.0.1:9")
    assert settings.under_chalice_cli()
    assert settings.environment() is os.environ


def test_first_of_several_unknown_settings_is_named_with_its_own_nearest() -> None:
    """In the order of their names; the next one is named once that is mended."""
    with pytest.raises(
        SettingError, match=r"^LATCHKEY_BRNAD is no setting of Latchkey\. Did you mean LATCHKEY_BRAND\?"
    ):
        settings.from_environment({"LATCHKEY_STAEG": "x", "LATCHKEY_BRNAD": "y"})
