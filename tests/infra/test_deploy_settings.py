"""Settings that the functions would refuse are refused before anything is touched."""

import json
from pathlib import Path

import pytest

from infra import deploy
from infra.failed import DeployError

STAGES = {"dev": {"environment_variables": {"LATCHKEY_STAGE": "dev"}, "lambda_functions": {"minute": {}}}}


@pytest.mark.parametrize("where", ["whole", "stage", "function"])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LATCHKEY_BRNAD", "acme", "Did you mean LATCHKEY_BRAND?"),
        ("LATCHKEY_BRAND", "l_k", "not 'l_k'"),
        ("LATCHKEY_BRAND", 7, 'LATCHKEY_BRAND takes text, like "7" in quotes, not 7.'),
        ("LATCHKEY_BRAND", None, "not None."),
    ],
)
def test_deployment_stops_at_a_setting_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, name: str, value: object, said: str
) -> None:
    """Wherever Chalice would take it from; the file and the place in it are named."""
    file = tmp_path / "config.json"
    monkeypatch.setattr(deploy, "CONFIGURATION", file)
    whole = json.loads(json.dumps({"stages": STAGES}))
    stage = whole["stages"]["dev"]
    file.write_text(json.dumps(whole))
    deploy.check_settings("dev")
    there = {"whole": whole, "stage": stage, "function": stage["lambda_functions"]["minute"]}[where]
    there.setdefault("environment_variables", {})[name] = value
    file.write_text(json.dumps(whole))
    with pytest.raises(DeployError, match=r"^\.chalice/config\.json, stages\.dev.*LATCHKEY_BR") as refused:
        deploy.check_settings("dev")
    assert said in str(refused.value)
    with pytest.raises(DeployError):
        deploy.deploy("dev")
    with pytest.raises(DeployError):
        deploy.package("dev", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_shipped_settings_can_be_used() -> None:
    """Of both stages."""
    for stage in deploy.STAGES:
        deploy.check_settings(stage)
