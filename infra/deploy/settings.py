"""The settings of a stage in `.chalice/config.json`, checked before anything is touched."""

import json
import sys

from chalicelib.core import settings as core_settings
from infra.deploy import checks
from infra.deployed import CONFIGURATION
from infra.edge import viewer_address
from infra.failed import DeployError


def check_settings(stage: str) -> None:
    """Refuse a setting that the functions would refuse when they start: nothing is touched before all are right."""
    checks.check_python(tuple(sys.version_info[:2]))
    whole = json.loads(CONFIGURATION.read_text())
    chosen = whole["stages"][stage]
    of_functions = [
        (f"{level}lambda_functions.{name}", own)
        for level, each in (("", whole), (f"stages.{stage}.", chosen))
        for name, own in each.get("lambda_functions", {}).items()
    ]
    for place, own in ((f"stages.{stage}", {}), *of_functions):
        given = [each.get("environment_variables", {}) for each in (whole, chosen, own)]
        variables = {name: value for each in given for name, value in each.items()}
        where = f".chalice/config.json, {place}"
        for name, value in variables.items():
            if name in own.get("environment_variables", {}) and name.startswith("LATCHKEY_"):
                raise DeployError(
                    f"{where}: {name} is a setting of the whole stage, which every function reads. Move it to"
                    f" stages.{stage}.environment_variables."
                )
            if not isinstance(value, str):
                raise DeployError(f'{where}: {name} takes text, like "{value}" in quotes, not {value!r}.')
        try:
            core_settings.from_environment(variables)
        except core_settings.SettingError as error:
            raise DeployError(f"{where}: {error}") from error


def mail_from(stage: str) -> str:
    """Return the sender of a stage's mail; empty where it sends none."""
    return viewer_address.setting(stage, "LATCHKEY_MAIL_FROM")
