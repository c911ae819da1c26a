"""Check the settings of a stage in `.chalice/config.json` before a command changes anything."""

import sys
from typing import Any

from chalicelib.core import settings as core_settings
from infra import configuration
from infra.deploy import checks
from infra.failed import DeployError

STAGE = "LATCHKEY_STAGE"
LOCAL = ("LATCHKEY_MAIL_FOLDER", "LATCHKEY_STAGE_KEY_FILE")
"""The settings that are only for `make run`, because their value is a path on the local machine."""
VARIABLES_MAX_BYTES = 4_096


def check_settings(stage: str) -> None:
    """Raise DeployError for a setting that the functions would reject when they start."""
    checks.check_python(tuple(sys.version_info[:2]))
    whole = configuration.of_stage(stage)
    chosen = whole["stages"][stage]
    of_functions = [
        (f"{level}lambda_functions.{name}", own)
        for level, each in (("", whole), (f"stages.{stage}.", chosen))
        for name, own in each.get("lambda_functions", {}).items()
    ]
    for place, own in ((f"stages.{stage}", {}), *of_functions):
        given = [each.get("environment_variables", {}) for each in (whole, chosen, own)]
        variables = {name: value for each in given for name, value in each.items()}
        where = f"{configuration.FILE}, {place}"
        for name, value in variables.items():
            if name in own.get("environment_variables", {}) and name.startswith("LATCHKEY_"):
                raise DeployError(
                    f"{where}: {name} is a setting of the whole stage, which every function reads. Move it to"
                    f" stages.{stage}.environment_variables."
                )
            if not isinstance(value, str):
                raise DeployError(f'{where}: {name} takes text, like "{value}" in quotes, not {value!r}.')
        size = sum(len(text.encode()) for pair in variables.items() for text in pair)
        if size > VARIABLES_MAX_BYTES:
            raise DeployError(
                f"{where}: the environment variables come to {size:,} bytes, names included, and Lambda takes"
                f" {VARIABLES_MAX_BYTES:,}. Put the largest into an SSM parameter or a file of the package."
            )
        try:
            core_settings.from_environment(variables)
        except core_settings.SettingError as error:
            raise DeployError(f"{where}: {error}") from error
        _check_deployed(stage, where, variables)


def _check_deployed(stage: str, where: str, variables: dict[str, Any]) -> None:
    """Raise DeployError for a valid setting that isn't suitable for a deployed stage."""
    if variables.get(STAGE) != stage:
        raise DeployError(
            f'{where}: {STAGE} takes "{stage}", the stage that is deployed, whose tables its roles may use,'
            f" not {variables.get(STAGE, 'nothing')!r}. Set it in stages.{stage}.environment_variables."
        )
    for name in LOCAL:
        if variables.get(name):
            raise DeployError(f"{where}: {name} is for a local run alone, and no function has such a file. Remove it.")


def mail_from(stage: str) -> str:
    """Return the sender of a stage's emails; "" if the stage sends no emails."""
    return configuration.setting(stage, "LATCHKEY_MAIL_FROM")
