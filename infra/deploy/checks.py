"""Check the prerequisites of a deployment: the Python version, the root key, and whether the stage is stopped."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import boto3

from chalicelib.core import root_key
from infra import configuration, deployed, own_functions, stage_key
from infra.failed import DeployError

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
"""The Python versions that Lambda supports (as of 2026-11-28) and for which the pinned packages have wheels.

Chalice treats any newer version as 3.15.
"""


def check_python(version: tuple[int, ...]) -> None:
    """Raise DeployError if Lambda doesn't support this process's Python version, which the functions would also use."""
    if version[:2] not in PYTHONS:
        oldest, newest = (".".join(map(str, each)) for each in (PYTHONS[0], PYTHONS[-1]))
        raise DeployError(
            f"The functions run on the Python that you deploy from, {oldest} to {newest}, and this is"
            f" {version[0]}.{version[1]}: remove .venv, then run this again with PYTHON=python3.13."
        )


def where() -> str:
    """Return the AWS account and region of the credentials in words, for messages."""
    account = boto3.client("sts").get_caller_identity()["Account"]
    return f"account {account}, region {boto3.session.Session().region_name}"


def gateway_stages(apis: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of the API Gateway stages of each API, by the API's id."""
    gateways = boto3.client("apigateway")
    return {api: [each["stageName"] for each in gateways.get_stages(restApiId=api)["item"]] for api in apis}


def check_gateway_stage(stage: str, deployed_as: Mapping[str, list[str]]) -> None:
    """Raise DeployError if an API has an API Gateway stage with another name: that stage would remain public."""
    wanted = configuration.gateway_stage(stage)
    for names in deployed_as.values():
        if names and wanted not in names:
            raise DeployError(
                f"The API of {stage} is deployed as {names[0]}, which is in the URL of every caller, and"
                f" {configuration.FILE} says api_gateway_stage {wanted}. Set it back; to change it, remove the service"
                f" first: make destroy STAGE={stage}, which keeps the data."
            )


def check_key(stage: str) -> None:
    """Raise DeployError if a deployed stage has lost its root key, since a new key would change all webhook secrets."""
    if deployed.variables(stage) is not None and not stage_key.exists(boto3.client("ssm"), stage):
        raise DeployError(
            f"The stage's key, the SSM parameter {root_key.parameter_name(stage)}, is gone, from which every webhook's"
            ' secret is derived. Put back your copy of it: docs/operating.md, "The stage\'s key", says how, and what'
            " follows where there is none."
        )


def check_running(stage: str) -> dict[str, int | None]:
    """Raise DeployError if the stage was stopped, for example for a restore, because Chalice would start it again.

    Returns the reserved concurrency of each function.
    """
    found = reserved(stage)
    for name in stopped(found):
        raise DeployError(
            f"{stage} is stopped: {name} may run 0 times at once. A deployment would start it in the middle of what"
            f" it was stopped for. When that is over: aws lambda delete-function-concurrency --function-name {name}"
        )
    return found


def reserved(stage: str) -> dict[str, int | None]:
    """Return the reserved concurrency of a stage's existing functions, by name; None means that none is reserved."""
    functions, found = boto3.client("lambda"), {}
    for function in (*deployed.FUNCTIONS, *own_functions.existing(stage)):
        name = deployed.function_name(stage, function)
        with suppress(functions.exceptions.ResourceNotFoundException):
            found[name] = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    return found


def stopped(reserved: Mapping[str, int | None]) -> Iterator[str]:
    """Yield the names of the functions with a reserved concurrency of 0."""
    return (name for name, most in reserved.items() if most == 0)
