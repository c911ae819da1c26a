"""The operator's settings are read from variables, and errors name the variable."""

import dataclasses
import subprocess
import sys

import pytest

from chalicelib.core import settings
from chalicelib.core.settings import SettingError, Settings


def test_empty_environment_gives_the_defaults() -> None:
    """An empty environment is valid and gives the defaults."""
    assert settings.from_environment({}) == Settings()


def test_empty_variable_counts_as_unset() -> None:
    """An empty variable counts as unset, as in a template that leaves it empty."""
    assert settings.from_environment({"LATCHKEY_PUBLIC_URL": "", "LATCHKEY_BURST_WINDOW_S": ""}) == Settings()


def test_variables_are_read_by_name() -> None:
    """Each setting is read from `LATCHKEY_<NAME>`; other variables are ignored."""
    chosen = settings.from_environment(
        {
            "LATCHKEY_STAGE": "prod",
            "LATCHKEY_BRAND": "acme",
            "LATCHKEY_KEY_KIND": "live",
            "LATCHKEY_ALLOWED_ORIGIN": "https://app.example.com:8443",
            "LATCHKEY_BURST_WINDOW_S": "10",
            "STAGE": "other",
        }
    )
    assert (chosen.stage, chosen.brand, chosen.key_kind) == ("prod", "acme", "live")
    assert (chosen.allowed_origin, chosen.burst_window_s) == ("https://app.example.com:8443", 10)


def test_trailing_slash_of_a_url_is_dropped() -> None:
    """A trailing slash of the public URL is removed, so both spellings give the same links."""
    assert settings.from_environment({"LATCHKEY_PUBLIC_URL": "https://api.example.com/v0/"}).public_url == (
        "https://api.example.com/v0"
    )
    with_slash = settings.from_environment({"LATCHKEY_ALLOWED_ORIGIN": "https://app.example.com/"})
    assert with_slash.allowed_origin == "https://app.example.com"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("LATCHKEY_BRNAD", "LATCHKEY_BRAND"),
        ("LATCHKEY_PUBLICURL", "LATCHKEY_PUBLIC_URL"),
        ("LATCHKEY_ALLOWED_ORIGINS", "LATCHKEY_ALLOWED_ORIGIN"),
        ("LATCHKEY_brand", "LATCHKEY_BRAND"),
        ("LATCHKEY_BURST", "LATCHKEY_BURST_WINDOW_S"),
        ("LATCHKEY_", None),
        ("LATCHKEY_QQQQQQQQQQQQQQQQQQQQ", None),
    ],
)
@pytest.mark.parametrize("value", ["acme", ""])
def test_unknown_setting_is_rejected_with_the_nearest_name(name: str, nearest: str | None, value: str) -> None:
    """An unknown setting, which would have no effect, is rejected with the nearest valid name."""
    with pytest.raises(SettingError) as raised:
        settings.from_environment({"LATCHKEY_STAGE": "dev", name: value})
    message = str(raised.value)
    assert message.startswith(f"{name} is no setting of Latchkey. ")
    assert "docs/deploying.md" in message
    if nearest is not None:
        assert f"Did you mean {nearest}?" in message


def test_invalid_value_is_reported_with_the_remedy() -> None:
    """The error for an invalid value contains the variable, its valid form, and the rejected value."""
    for variable, value in (("LATCHKEY_BRAND", "l_k"), ("LATCHKEY_BURST_WINDOW_S", "ten"), ("LATCHKEY_WIRE", "boto")):
        with pytest.raises(SettingError) as raised:
            settings.from_environment({variable: value})
        message = str(raised.value)
        assert message.startswith(f"{variable} takes ")
        assert f"not {value!r}." in message
        assert message.endswith("Change it, or leave it unset.")


@pytest.mark.parametrize(("length", "expected"), [(100, "'{value}'."), (101, "'{value}'….")])
def test_long_value_is_cut_to_a_hundred_characters(length: int, expected: str) -> None:
    """A value longer than a hundred characters is cut and ends with an ellipsis."""
    with pytest.raises(SettingError) as raised:
        settings.from_environment({"LATCHKEY_BRAND": "_" * length})
    assert f"not {expected.format(value='_' * 100)}" in str(raised.value)


def test_misplaced_initial_token_is_not_shown() -> None:
    """A misplaced initial access token isn't shown, because it is a secret and the message appears in a log."""
    with pytest.raises(SettingError) as raised:
        settings.from_environment({"LATCHKEY_REGISTRATION": "the-initial-token"})
    assert "the-initial-token" not in str(raised.value)


def test_valid_settings_import_no_suggestion_library() -> None:
    """Reading valid settings, as every cold start does, doesn't import the library that suggests names."""
    program = (
        "import sys; from chalicelib.core import settings; settings.from_environment({'LATCHKEY_STAGE': 'dev'});"
        "sys.exit('difflib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_settings_are_frozen() -> None:
    """The settings object can't be changed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().stage = "other"  # type: ignore[misc]  # the assignment is the test


def test_settings_in_use_end_with_the_block() -> None:
    """Settings for another stage apply only within their block."""
    with settings.override(Settings(stage="outer")):
        with settings.override(Settings(stage="inner")):
            assert settings.current().table("accounts") == "latchkey-inner-accounts"
        assert settings.current().stage == "outer"
