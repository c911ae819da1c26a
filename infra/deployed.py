"""Adopt a stage's deployed resources for Chalice: find them in AWS by name, and record them in Chalice's state file.

Chalice knows only what it wrote to `.chalice/deployed` after its last successful deployment. In another checkout, or
after a failed deployment, it would create a second API and fail because the subscription already exists. So this file
is rewritten from AWS before each Chalice command.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from infra import checkout, configuration, own_functions, subscription, triggers
from infra.failed import DeployError

API = "api_handler"
FUNCTIONS = {name: "" if name == API else f"-{name}" for name in configuration.OURS}
"""The suffixes of the functions' names in AWS, by the functions' names in Chalice."""
Resource = dict[str, Any]
NO_SOURCES: Mapping[str, str] = MappingProxyType({})


def function_name(stage: str, name: str) -> str:
    """Return the name in AWS of the function with this name in Chalice."""
    return f"latchkey-{stage}{FUNCTIONS.get(name, f'-{name}')}"


def note_for_deployment(stage: str, sources: Mapping[str, str] = NO_SOURCES) -> None:
    """Record a stage's existing resources for Chalice, including a configured domain without mappings.

    `sources` are the streams and topics that app.py declares, by function.
    """
    from infra import domains

    configured = configuration.domain(stage)
    unused = [] if configured is None else list(domains.found_unused(configured["domain_name"]))
    _note(stage, found(stage, sources) + unused)


def note_for_deletion(stage: str) -> None:
    """Record a stage's existing resources for Chalice, except a domain without mappings, which may have another use."""
    _note(stage, found(stage))


def found(stage: str, sources: Mapping[str, str] = NO_SOURCES) -> list[Resource]:
    """Return a stage's existing service resources, in Chalice's format.

    Chalice deletes resources in reverse order, so a domain is listed after the API that it is mapped to.
    """
    from infra import domains

    resources = list(_functions(stage, sources))
    apis, domain = api_ids(stage), named_domain(stage)
    if apis:
        resources.append({"name": "rest_api", "resource_type": "rest_api", **located(stage, apis[0])})
    if domain is not None:
        find_link = domains.found_alone if configuration.domain(stage) is None else domains.found
        resources.extend(find_link(domain, apis))
    return resources


def api_of(stage: str) -> dict[str, str] | None:
    """Return the `rest_api_id` and `rest_api_url` of a stage's API; None if the stage has no API.

    All stages' APIs have the same name, so an API is identified by the function that it invokes.
    """
    api_id = next(_apis(stage), None)
    return None if api_id is None else located(stage, api_id)


def located(stage: str, api_id: str) -> dict[str, str]:
    """Return the `rest_api_id` and `rest_api_url` for the id of a stage's API."""
    import boto3
    from chalice.awsclient import TypedAWSClient

    session = boto3.session.Session()
    suffix = TypedAWSClient(session._session).endpoint_dns_suffix("apigateway", session.region_name)
    host = f"{api_id}.execute-api.{session.region_name}.{suffix}"
    return {"rest_api_id": api_id, "rest_api_url": f"https://{host}/{configuration.gateway_stage(stage)}/"}


def api_ids(stage: str) -> list[str]:
    """Return the ids of all APIs of a stage; an interrupted deployment may have left more than one."""
    return list(_apis(stage))


def named_domain(stage: str) -> str | None:
    """Return the configured domain, or the domain that Chalice recorded in this checkout."""
    configured = configuration.domain(stage)
    if configured is not None:
        return configured["domain_name"]
    try:
        before: list[Resource] = json.loads(_noted(stage).read_text())["resources"]
        return next((each["domain_name"] for each in before if each["resource_type"] == "domain_name"), None)
    except (OSError, ValueError, LookupError, TypeError):  # the file is missing or truncated
        return None


def data_stack(stage: str) -> str:
    """Return the name of a stage's data stack."""
    return f"latchkey-{stage}-data"


def variables(stage: str) -> dict[str, str] | None:
    """Return the settings of a stage: its API function's environment variables. None if the function doesn't exist."""
    import boto3

    client = boto3.client("lambda")
    gone = client.exceptions.ResourceNotFoundException
    configured = _or_none(gone, client.get_function_configuration, FunctionName=function_name(stage, API))
    return None if configured is None else dict(configured.get("Environment", {}).get("Variables", {}))


def live_api(stage: str) -> dict[str, str]:
    """Return the id and URL of a stage's API. Raises DeployError if the stage has no API."""
    api = api_of(stage)
    if api is None:
        raise DeployError(f"Nothing is deployed as {stage} in this account and region: make deploy STAGE={stage}.")
    return api


def outputs(stage: str) -> dict[str, str]:
    """Return the outputs of a stage's data stack: the ARNs of the streams and of the functions' roles.

    Raises LookupError if the stack doesn't exist, or if an older version created it with fewer outputs.
    """
    import boto3
    from botocore.exceptions import ClientError

    missing = f"The data stack {data_stack(stage)} is not up to date: `make deploy STAGE={stage}` makes it so."
    try:
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=data_stack(stage))["Stacks"]
    except ClientError as error:
        # CloudFormation reports a missing stack as a ValidationError.
        if error.response["Error"]["Code"] == "ValidationError":
            raise LookupError(missing) from error
        raise
    said = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    if any(output not in said for output in (*subscription.OUTPUTS.values(), "HourRole", "JobRole")):
        raise LookupError(missing)
    return said


def _noted(stage: str) -> Path:
    return checkout.NOTED / f"{stage}.json"


def _note(stage: str, resources: list[Resource]) -> None:
    noted = _noted(stage)
    noted.parent.mkdir(exist_ok=True)
    part = noted.with_suffix(".part")
    part.write_text(json.dumps({"resources": resources, "schema_version": "2.0", "backend": "api"}, indent=2) + "\n")
    part.replace(noted)  # replaces the file atomically, so that an interruption leaves no partial file


def _functions(stage: str, sources: Mapping[str, str]) -> Iterator[Resource]:
    """Yield the functions of a stage, Latchkey's and the operator's own, each followed by its triggers."""
    import boto3

    functions, streams = boto3.client("lambda"), _streams(stage)
    gone = functions.exceptions.ResourceNotFoundException
    for name in (*FUNCTIONS, *own_functions.existing_and_deleted(stage)):
        function = function_name(stage, name)
        configured = _or_none(gone, functions.get_function_configuration, FunctionName=function)
        arn = None if configured is None else configured["FunctionArn"]
        if arn is not None:
            yield {"name": name, "resource_type": "lambda_function", "lambda_arn": arn}
        if name in FUNCTIONS:
            yield from triggers.of_latchkey(name, function, arn, stage, streams.get(name, ""))
        else:
            yield from triggers.of_own(name, function, arn, sources)


def _streams(stage: str) -> dict[str, str]:
    """Return the ARN of the stream that each function reads, by function; {} if the data stack isn't up to date."""
    try:
        found = outputs(stage)
    except LookupError:
        return {}
    return {name: found[output] for name, output in subscription.OUTPUTS.items()}


def _apis(stage: str) -> Iterator[str]:
    """Yield the ids of the APIs that invoke a stage's function; an interrupted deployment may have left two APIs.

    An API with another name than Latchkey's isn't part of a stage, even if it is allowed to invoke the function.
    """
    import boto3

    functions, gateways = boto3.client("lambda"), boto3.client("apigateway")
    gone = functions.exceptions.ResourceNotFoundException
    granted = _or_none(gone, functions.get_policy, FunctionName=function_name(stage, API))
    apis = [api for page in gateways.get_paginator("get_rest_apis").paginate() for api in page["items"]]
    ids = [api["id"] for api in apis if api["name"] == configuration.APP]
    known = [api_id for api_id in ids if granted is not None and f":{api_id}/" in granted["Policy"]]
    yield from known
    others = [api_id for api_id in ids if api_id not in known]
    if others:
        account, region = boto3.client("sts").get_caller_identity()["Account"], boto3.session.Session().region_name
        arn = f":lambda:{region}:{account}:function:{function_name(stage, API)}"
        # An imported API may lack the permission to invoke the function, so look at its integrations, too.
        yield from (api_id for api_id in others if _calls(gateways, api_id, arn))


def _calls(gateways: Any, api_id: str, arn: str) -> bool:
    """Return whether an API's GET / invokes the function whose ARN ends with `arn`."""
    pages = gateways.get_paginator("get_resources").paginate(restApiId=api_id, PaginationConfig={"PageSize": 500})
    root = next((each for page in pages for each in page["items"] if each["path"] == "/"), None)
    if root is None:
        return False
    gone = gateways.exceptions.NotFoundException
    called = _or_none(gone, gateways.get_integration, restApiId=api_id, resourceId=root["id"], httpMethod="GET")
    return called is not None and f"{arn}/invocations" in called.get("uri", "")


def _or_none(absent: type[Exception], ask: Any, **about: str) -> Any:
    try:
        return ask(**about)
    except absent:
        return None
