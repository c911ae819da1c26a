"""A deployment rejects settings that the functions would reject, before it changes anything."""

import json
from pathlib import Path

import boto3
import pytest

from infra import configuration, inputs
from infra.deploy import checks, deploy, package, settings
from infra.failed import DeployError
from tests.examples.blocks import blocks_of

ROOT = Path(__file__).parents[2]
OF_DEV = {"LATCHKEY_STAGE": "dev"}
DEV = {"api_gateway_stage": "api", "environment_variables": OF_DEV, "lambda_functions": {"minute": {}}}
CONFIGURED = {"app_name": "latchkey", "manage_iam_role": False, "iam_role_arn": "-", "stages": {"dev": DEV}}


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change into a checkout with only a configuration, and return the file's path."""
    monkeypatch.chdir(folder)
    configuration.FILE.parent.mkdir()
    return configuration.FILE


@pytest.mark.parametrize("where", ["whole", "stage"])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LATCHKEY_BRNAD", "acme", "Did you mean LATCHKEY_BRAND?"),
        ("LATCHKEY_BRAND", "l_k", "not 'l_k'"),
        ("LATCHKEY_BRAND", 7, 'LATCHKEY_BRAND takes text, like "7" in quotes, not 7.'),
        ("LATCHKEY_BRAND", None, "not None."),
    ],
)
def test_invalid_setting_stops_the_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, name: str, value: object, said: str
) -> None:
    """An invalid setting at any level stops a deployment and names file and path."""
    file = use(tmp_path, monkeypatch)
    whole = json.loads(json.dumps(CONFIGURED))
    stage = whole["stages"]["dev"]
    file.write_text(json.dumps(whole))
    settings.check_settings("dev")
    there = {"whole": whole, "stage": stage}[where]
    there.setdefault("environment_variables", {})[name] = value
    file.write_text(json.dumps(whole))
    with pytest.raises(DeployError, match=r"^\.chalice/config\.json, stages\.dev.*LATCHKEY_BR") as refused:
        settings.check_settings("dev")
    assert said in str(refused.value)
    with pytest.raises(DeployError):
        deploy.deploy("dev")
    with pytest.raises(DeployError):
        package.package("dev", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("level", ["whole", "stage"])
def test_setting_of_a_single_function_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    """A Latchkey setting for a single function is rejected; an operator's own variables are accepted."""
    file = use(tmp_path, monkeypatch)
    whole = json.loads(json.dumps(CONFIGURED))
    there = {"whole": whole, "stage": whole["stages"]["dev"]}[level].setdefault("lambda_functions", {})
    there["api_handler"] = {"environment_variables": {"ORDERS": "table"}}
    file.write_text(json.dumps(whole))
    settings.check_settings("dev")
    there["api_handler"]["environment_variables"]["LATCHKEY_MAIL_FROM"] = "keys@example.com"
    file.write_text(json.dumps(whole))
    with pytest.raises(DeployError, match=r"api_handler: LATCHKEY_MAIL_FROM .* Move it to stages\.dev\.environment"):
        settings.check_settings("dev")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LATCHKEY_STAGE", "prod", r'LATCHKEY_STAGE takes "dev", .*, not \'prod\'\.'),
        ("LATCHKEY_STAGE", "", r'LATCHKEY_STAGE takes "dev"'),
        ("LATCHKEY_STAGE", None, r"not 'nothing'\. Set it in stages\.dev\.environment_variables\."),
        ("LATCHKEY_MAIL_FOLDER", "/tmp/mail", r"LATCHKEY_MAIL_FOLDER is for a local run alone"),  # noqa: S108 - a text
        ("LATCHKEY_STAGE_KEY_FILE", "/tmp/key", r"LATCHKEY_STAGE_KEY_FILE is for a local run alone"),  # noqa: S108
    ],
)
def test_setting_of_another_stage_or_local_run_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, said: str
) -> None:
    """A setting that belongs to another stage, or to local runs only, is rejected."""
    file = use(tmp_path, monkeypatch)
    whole = json.loads(json.dumps(CONFIGURED))
    variables = whole["stages"]["dev"]["environment_variables"]
    if value is None:
        del variables[name]
    else:
        variables[name] = value
    file.write_text(json.dumps(whole))
    with pytest.raises(DeployError, match=said):
        settings.check_settings("dev")


def test_shipped_settings_are_valid() -> None:
    """The shipped settings of both stages are valid."""
    for stage in inputs.STAGES:
        settings.check_settings(stage)


def test_production_settings_of_the_guide_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's settings, with a certificate, can be copied into the shipped configuration and keep its settings."""
    whole = json.loads((ROOT / configuration.FILE).read_text())
    (shown,) = (each.code for each in blocks_of("docs/deploying.md") if '"LATCHKEY_STAGE"' in each.code)
    # The guide's certificate has a placeholder, which is refused until the operator has replaced it.
    copied, prod = json.loads("{" + shown.replace("certificate/…", "certificate/1") + "}"), whole["stages"]["prod"]
    assert prod["environment_variables"].keys() <= copied["environment_variables"].keys()
    whole["stages"]["prod"] = prod | copied
    use(tmp_path, monkeypatch).write_text(json.dumps(whole))
    settings.check_settings("prod")


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 15, 0), (3, 16, 1), (4, 11, 0)])
def test_python_without_a_lambda_runtime_is_rejected(version: tuple[int, ...]) -> None:
    """A Python version without a Lambda runtime is rejected with the fix."""
    with pytest.raises(
        DeployError, match=rf"3\.11 to 3\.14, and this is {version[0]}\.{version[1]}: remove \.venv, then"
    ):
        checks.check_python(version)


def test_accepted_pythons_equal_the_guides() -> None:
    """The accepted Python versions are those in the guide, and Lambda has a runtime for each."""
    known = boto3.client("lambda", region_name="us-east-1").meta.service_model.shape_for("Runtime").enum
    for major, minor in checks.PYTHONS:
        checks.check_python((major, minor, 0))
        assert f"python{major}.{minor}" in known
    assert "Python 3.11 to 3.14." in (ROOT / "docs" / "deploying.md").read_text()


def test_oversized_environment_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variables of a function and of its stage together may not exceed Lambda's limit."""
    file = use(tmp_path, monkeypatch)
    whole = json.loads(json.dumps(CONFIGURED))
    whole["stages"]["dev"]["lambda_functions"]["minute"] = {"environment_variables": {"ORDERS": "x" * 4_070}}
    file.write_text(json.dumps(whole))
    settings.check_settings("dev")
    whole["environment_variables"] = {"MORE": "x"}
    file.write_text(json.dumps(whole))
    with pytest.raises(DeployError, match=r"minute: the environment variables come to 4,098 bytes"):
        settings.check_settings("dev")
