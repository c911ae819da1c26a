"""Find the settings of a stage that the commands on accounts need: for its tables, and for links and secrets."""

import os

from botocore.exceptions import ClientError

from chalicelib.core import settings
from chalicelib.core.dynamodb import endpoint
from infra import aws_errors, aws_settings, chalice_cli, checkout, deployed, engine
from infra.failed import Mistake


def settings_of(stage: str) -> settings.Settings:
    """Return the settings for access to a stage's tables; for the local stage, use the database of `make run`."""
    if stage != "local":
        aws_settings.check()
        return settings.from_environment(os.environ | {"LATCHKEY_STAGE": stage, "LATCHKEY_KEY_KIND": _kind_of(stage)})
    checkout.check_local()
    database, url = engine.running() or (os.environ.get("AWS_ENDPOINT_URL", ""), "http://127.0.0.1:8000")
    if not database:
        raise Mistake("No local run was found. Start one with `make run`, or choose a deployed stage with STAGE=.")
    os.environ["AWS_ENDPOINT_URL"] = database
    chalice_cli.prepare_environment(url)
    if endpoint.from_environment(os.environ) is None:  # botocore will read further AWS settings
        aws_settings.check()
    return settings.from_environment(os.environ)


def as_deployed(stage: str) -> settings.Settings:
    """Return the settings of a stage's deployed functions, which determine links and secrets.

    If no function is deployed, return the settings of this shell. Raises Mistake if AWS denies access to the functions.
    """
    if stage == "local":
        return settings.current()
    try:
        variables = deployed.variables(stage)
    except ClientError as error:
        allow = " Allow lambda:GetFunctionConfiguration." if aws_errors.is_denied(error) else ""
        raise Mistake(f"The settings of {stage} can't be read.{allow} {aws_errors.in_words(error)}") from None
    return settings.from_environment(variables) if variables else settings.current()


def _kind_of(stage: str) -> str:
    return "live" if stage == "prod" else "test"
