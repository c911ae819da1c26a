"""What an owner can set, and what is refused with the name of the variable."""

import dataclasses
import subprocess
import sys

import pytest

from chalicelib.core import settings
from chalicelib.core.settings import SettingError, Settings


def test_empty_environment_gives_the_defaults() -> None:
    """Nothing has to be set."""
    assert settings.from_environment({}) == Settings()


def test_empty_variable_counts_as_unset() -> None:
    """A template that leaves a variable empty means its default."""
    assert settings.from_environment({"LATCHKEY_PUBLIC_URL": "", "LATCHKEY_BURST_WINDOW_S": ""}) == Settings()


def test_variables_are_read_by_name() -> None:
    """Each setting comes from `LATCHKEY_<NAME>`; other variables are none of our business."""
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


def test_slash_at_the_end_of_a_url_is_dropped() -> None:
    """Both ways of writing the public URL give the same links."""
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
        ("LATCHKEY_", None),
        ("LATCHKEY_QQQQQQQQQQQQQQQQQQQQ", None),
    ],
)
@pytest.mark.parametrize("value", ["acme", ""])
def test_setting_that_nobody_reads_is_refused_with_the_nearest_name(name: str, nearest: str | None, value: str) -> None:
    """A misspelt one would have no effect, and nobody would know why; an empty one, too."""
    with pytest.raises(SettingError) as refused:
        settings.from_environment({"LATCHKEY_STAGE": "dev", name: value})
    said = str(refused.value)
    assert said.startswith(f"{name} is no setting of Latchkey. ")
    assert "docs/deploying.md" in said
    if nearest is not None:
        assert f"Did you mean {nearest}?" in said


def test_unusable_value_is_told_with_what_to_do() -> None:
    """The variable, the value, what it takes, and that it may be left out."""
    for variable, value in (("LATCHKEY_BRAND", "l_k"), ("LATCHKEY_BURST_WINDOW_S", "ten"), ("LATCHKEY_WIRE", "boto")):
        with pytest.raises(SettingError) as refused:
            settings.from_environment({variable: value})
        said = str(refused.value)
        assert said.startswith(f"{variable} takes ")
        assert f"not {value!r}." in said
        assert said.endswith("Change it, or leave it unset.")


@pytest.mark.parametrize(("length", "shown"), [(100, "'{value}'."), (101, "'{value}'….")])
def test_long_value_is_shown_by_its_first_hundred_characters(length: int, shown: str) -> None:
    """With a sign that there is more, where there is."""
    with pytest.raises(SettingError) as refused:
        settings.from_environment({"LATCHKEY_BRAND": "_" * length})
    assert f"not {shown.format(value='_' * 100)}" in str(refused.value)


def test_initial_token_that_stands_where_its_digest_should_is_not_told() -> None:
    """It is a secret, and what refuses it stands in a log."""
    with pytest.raises(SettingError) as refused:
        settings.from_environment({"LATCHKEY_REGISTRATION": "the-initial-token"})
    assert "the-initial-token" not in str(refused.value)


def test_good_settings_import_nothing_to_judge_names_by() -> None:
    """Every cold start reads them."""
    program = (
        "import sys; from chalicelib.core import settings; settings.from_environment({'LATCHKEY_STAGE': 'dev'});"
        "sys.exit('difflib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_settings_are_frozen() -> None:
    """Nothing changes a setting behind anybody's back."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().stage = "other"  # type: ignore[misc]  # that is the point


def test_settings_in_use_end_with_the_block() -> None:
    """A tool that works on another stage leaves nothing behind."""
    with settings.in_use(Settings(stage="outer")):
        with settings.in_use(Settings(stage="inner")):
            assert settings.current().table("accounts") == "latchkey-inner-accounts"
        assert settings.current().stage == "outer"
