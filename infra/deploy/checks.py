"""What must be so before a stage is deployed: a Python that Lambda runs, a stage that nobody stopped."""

from collections.abc import Iterator
from contextlib import suppress

import boto3

from chalicelib.core import root_key
from infra import configuration, deployed, stage_key
from infra.failed import DeployError

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
"""What Lambda ran as of 2026-11-28, and the pinned packages are compiled for. Chalice takes any newer one for 3.15."""


def check_python(version: tuple[int, ...]) -> None:
    """Raise DeployError where the functions couldn't run on the Python that deploys, which Chalice gives them."""
    if version[:2] not in PYTHONS:
        oldest, newest = (".".join(map(str, each)) for each in (PYTHONS[0], PYTHONS[-1]))
        raise DeployError(
            f"The functions run on the Python that you deploy from, {oldest} to {newest}, and this is"
            f" {version[0]}.{version[1]}: remove .venv, then run this again with PYTHON=python3.13."
        )


def where() -> str:
    """Return where a command works: the account and the region, as a person reads them."""
    account = boto3.client("sts").get_caller_identity()["Account"]
    return f"account {account}, region {boto3.session.Session().region_name}"


def check_gateway_stage(stage: str) -> None:
    """Raise DeployError where the API is deployed under another name: it would be left open beside the new one."""
    wanted, gateways = configuration.gateway_stage(stage), boto3.client("apigateway")
    for api in deployed.api_ids(stage):
        names = [each["stageName"] for each in gateways.get_stages(restApiId=api)["item"]]
        if names and wanted not in names:
            raise DeployError(
                f"The API of {stage} is deployed as {names[0]}, which is in the URL of every caller, and"
                f" {configuration.FILE} says api_gateway_stage {wanted}. Set it back; to change it, remove the service"
                f" first: make destroy STAGE={stage}, which keeps the data."
            )


def check_key(stage: str) -> None:
    """Raise DeployError where a stage that runs has lost its key: another makes another secret of each webhook."""
    if deployed.variables(stage) is not None and not stage_key.exists(boto3.client("ssm"), stage):
        raise DeployError(
            f"The stage's key, the SSM parameter {root_key.parameter_name(stage)}, is gone, from which every webhook's"
            ' secret is derived. Put back your copy of it: docs/operating.md, "The stage\'s key", says how, and what'
            " follows where there is none."
        )


def check_running(stage: str) -> None:
    """Raise DeployError where somebody has stopped the stage, as for a restore: Chalice would start it again."""
    for name in stopped(stage):
        raise DeployError(
            f"{stage} is stopped: {name} may run 0 times at once. A deployment would start it in the middle of what"
            f" it was stopped for. When that is over: aws lambda delete-function-concurrency --function-name {name}"
        )


def stopped(stage: str) -> Iterator[str]:
    """Yield the names of a stage's functions that may run 0 times at once."""
    functions = boto3.client("lambda")
    for function in deployed.FUNCTIONS:
        name = deployed.function_name(stage, function)
        with suppress(functions.exceptions.ResourceNotFoundException):
            reserved = functions.get_function_concurrency(FunctionName=name)
            if reserved.get("ReservedConcurrentExecutions") == 0:
                yield name
