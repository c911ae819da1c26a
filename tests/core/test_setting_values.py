"""The defaults of the settings, values derived from them, and the time when they are read."""

import os

import pytest

from chalicelib.core import settings
from chalicelib.core.settings import SettingError, Settings


def test_defaults_match_the_deploying_page() -> None:
    """The defaults of all settings are those of the deploying page."""
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


def test_derived_settings() -> None:
    """Table names contain the stage, and days are converted to seconds."""
    made = Settings(stage="dev", resources="https://a.example  https://b.example", events_kept_days=2)
    assert made.table("keys") == "latchkey-dev-keys"
    assert made.other_resources == {"https://a.example", "https://b.example"}
    assert Settings().other_resources == frozenset()
    assert made.events_kept_s == 2 * 86_400


def test_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is read once, on first use."""
    monkeypatch.setattr(settings, "_current", None)
    monkeypatch.setenv("LATCHKEY_STAGE", "first")
    first = settings.current()
    monkeypatch.setenv("LATCHKEY_STAGE", "second")
    assert settings.current() is first
    assert first.stage == "first"
    with pytest.raises(ValueError, match=r"^fault$"), settings.override(Settings(stage="other")):
        raise ValueError("fault")
    assert settings.current() is first


def test_aws_variables_are_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of AWS are read each time, because Lambda changes the trace header with each invocation."""
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


def test_first_unknown_setting_is_reported_with_its_nearest_name() -> None:
    """Unknown settings are reported one at a time, in the order of their names, with the nearest valid name."""
    with pytest.raises(
        SettingError, match=r"^LATCHKEY_BRNAD is no setting of Latchkey\. Did you mean LATCHKEY_BRAND\?"
    ):
        settings.from_environment({"LATCHKEY_STAEG": "x", "LATCHKEY_BRNAD": "y"})
