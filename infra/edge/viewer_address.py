"""Read and change whether a stage's functions trust the client address header that Latchkey's CloudFront sets."""

from contextlib import suppress
from typing import Any

import boto3

from infra import configuration, deployed

HEADER = "x-viewer-address"
SETTING = "LATCHKEY_CLIENT_IP_HEADER"


def is_believed(stage: str) -> bool:
    """Return whether any function of a stage is configured to read the client address from the header."""
    whole = configuration.of_stage(stage)
    return HEADER in [str(variables.get(SETTING, "")).lower() for variables in _variables(whole, stage)]


def distrust(whole: dict[str, Any], stage: str) -> None:
    """Remove the header from a configuration, so that it isn't trusted while any caller could send it."""
    for variables in _variables(whole, stage):
        variables.pop(SETTING, None)


def withdraw(stage: str) -> None:
    """Remove the header from the deployed functions' settings, before the API is opened to all callers."""
    functions = boto3.client("lambda")
    for function in deployed.FUNCTIONS:
        name = deployed.function_name(stage, function)
        with suppress(functions.exceptions.ResourceNotFoundException):
            configured = functions.get_function_configuration(FunctionName=name)
            variables = dict(configured.get("Environment", {}).get("Variables", {}))
            if variables.pop(SETTING, None) is not None:
                functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
                functions.get_waiter("function_updated_v2").wait(FunctionName=name)


def _variables(whole: dict[str, Any], stage: str) -> list[dict[str, Any]]:
    """Return the environment variables at each level of a stage's configuration."""
    chosen = whole["stages"][stage]
    levels = (whole, chosen, *chosen.get("lambda_functions", {}).values())
    return [each.get("environment_variables", {}) for each in levels]
