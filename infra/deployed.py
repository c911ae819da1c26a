"""Find the deployed resources of a stage in AWS by name, and write them where Chalice looks for them.

Chalice knows only what it wrote to `.chalice/deployed` after its last successful deployment. In another checkout, or
after a failed deployment, it would create a second API and fail because the subscription already exists. So this file
is rewritten from AWS before each Chalice command.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra import checkout, configuration, schedules, subscription
from infra.failed import DeployError

API = "api_handler"
FUNCTIONS = {name: "" if name == API else f"-{name}" for name in configuration.OURS}
"""What Chalice calls each function, and how its name ends."""
Resource = dict[str, Any]


def function_name(stage: str, name: str) -> str:
    """Return the name in AWS of a function that Chalice calls `name`."""
    return f"latchkey-{stage}{FUNCTIONS[name]}"


def note_for_deployment(stage: str) -> None:
    """Write down for Chalice what is there of a stage's service, and the configured domain if it leads nowhere yet."""
    from infra import domains

    configured = configuration.domain(stage)
    unused = [] if configured is None else list(domains.found_unused(configured["domain_name"]))
    _note(stage, found(stage) + unused)


def note_for_deletion(stage: str) -> None:
    """Write down for Chalice what is there of a stage's service, and nothing that may be somebody else's."""
    _note(stage, found(stage))


def found(stage: str) -> list[Resource]:
    """Return what AWS has of a stage's service, as Chalice notes it.

    Chalice deletes from the end: the domain, which leads to the API, before that.
    """
    import boto3

    from infra import domains

    clients = [boto3.client(service) for service in ("lambda", "events")]
    resources = [resource for name in FUNCTIONS for resource in _of_function(stage, name, *clients)]
    apis, domain = api_ids(stage), named_domain(stage)
    if apis:
        resources.append({"name": "rest_api", "resource_type": "rest_api", **located(stage, apis[0])})
    if domain is not None:
        find_link = domains.found_alone if configuration.domain(stage) is None else domains.found
        resources.extend(find_link(domain, apis))
    return resources


def api_of(stage: str) -> dict[str, str] | None:
    """Return `rest_api_id` and `rest_api_url` of a stage; None when it has no API.

    Every stage's API is called the same, so it is known by the function that it calls.
    """
    api_id = next(_apis(stage), None)
    return None if api_id is None else located(stage, api_id)


def located(stage: str, api_id: str) -> dict[str, str]:
    """Return `rest_api_id` and `rest_api_url` of a stage's API."""
    import boto3
    from chalice.awsclient import TypedAWSClient

    session = boto3.session.Session()
    suffix = TypedAWSClient(session._session).endpoint_dns_suffix("apigateway", session.region_name)
    host = f"{api_id}.execute-api.{session.region_name}.{suffix}"
    return {"rest_api_id": api_id, "rest_api_url": f"https://{host}/{configuration.gateway_stage(stage)}/"}


def api_ids(stage: str) -> list[str]:
    """Return the ids of all APIs of a stage: more than one where a deployment was killed."""
    return list(_apis(stage))


def named_domain(stage: str) -> str | None:
    """Return the domain that is configured, else the one that Chalice noted in this checkout."""
    configured = configuration.domain(stage)
    if configured is not None:
        return configured["domain_name"]
    try:
        before: list[Resource] = json.loads(_noted(stage).read_text())["resources"]
        return next((each["domain_name"] for each in before if each["resource_type"] == "domain_name"), None)
    except (OSError, ValueError, LookupError, TypeError):  # not there, or cut off when something was killed
        return None


def data_stack(stage: str) -> str:
    """Return the name of a stage's data stack."""
    return f"latchkey-{stage}-data"


def variables(stage: str) -> dict[str, str] | None:
    """Return the environment of a stage's API function, which has its settings; None where there is no function."""
    import boto3

    client = boto3.client("lambda")
    gone = client.exceptions.ResourceNotFoundException
    configured = _or_none(gone, client.get_function_configuration, FunctionName=function_name(stage, API))
    return None if configured is None else dict(configured.get("Environment", {}).get("Variables", {}))


def live_api(stage: str) -> dict[str, str]:
    """Return the gateway's id and URL of a stage; raise DeployError when nothing is deployed."""
    api = api_of(stage)
    if api is None:
        raise DeployError(f"Nothing is deployed as {stage} in this account and region: make deploy STAGE={stage}.")
    return api


def outputs(stage: str) -> dict[str, str]:
    """Return what a stage's data stack says of itself: the ARNs of the stream of events and of the functions' roles.

    Raises LookupError when the data stack isn't there, or is of a version that had less.
    """
    import boto3
    from botocore.exceptions import ClientError

    missing = f"The data stack {data_stack(stage)} is not up to date: `make deploy STAGE={stage}` makes it so."
    try:
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=data_stack(stage))["Stacks"]
    except ClientError as error:
        # CloudFormation has no better word for a stack that isn't there.
        if error.response["Error"]["Code"] == "ValidationError":
            raise LookupError(missing) from error
        raise
    said = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    if "EventsStream" not in said or "HourRole" not in said:
        raise LookupError(missing)
    return said


def _noted(stage: str) -> Path:
    return checkout.NOTED / f"{stage}.json"


def _note(stage: str, resources: list[Resource]) -> None:
    noted = _noted(stage)
    noted.parent.mkdir(exist_ok=True)
    part = noted.with_suffix(".part")
    part.write_text(json.dumps({"resources": resources, "schema_version": "2.0", "backend": "api"}, indent=2) + "\n")
    part.replace(noted)  # whole or not at all


def _of_function(stage: str, name: str, functions: Any, events: Any) -> Iterator[Resource]:
    """Yield a function and what belongs to it: its schedule, its subscription to the stream."""
    function = function_name(stage, name)
    gone = functions.exceptions.ResourceNotFoundException
    configured = _or_none(gone, functions.get_function_configuration, FunctionName=function)
    if configured is None:
        subscribed = subscription.of_function_that_is_gone(function, stage)
    else:
        yield {"name": name, "resource_type": "lambda_function", "lambda_arn": configured["FunctionArn"]}
        subscribed = subscription.of_function(configured["FunctionArn"], stage)
    for mapping in subscribed:
        # Chalice keeps the one to the stream that there is; others have names that it deletes.
        is_current = mapping["EventSourceArn"] == _stream(stage)
        yield {
            "name": f"{name}-dynamodb-event-source" + ("" if is_current else f"-{mapping['UUID']}"),
            "resource_type": "dynamodb_event",
            "stream_arn": mapping["EventSourceArn"],
            "event_uuid": mapping["UUID"],
            "lambda_arn": mapping["FunctionArn"],
        }
    rule = schedules.rule_name(function)
    if _or_none(events.exceptions.ResourceNotFoundException, events.describe_rule, Name=rule) is not None:
        yield {"name": f"{name}-event", "resource_type": "cloudwatch_event", "rule_name": rule}


def _stream(stage: str) -> str:
    """Return the ARN of the stream of events; "" where no data stack says which it is."""
    try:
        return outputs(stage)["EventsStream"]
    except LookupError:
        return ""


def _apis(stage: str) -> Iterator[str]:
    """Yield the ids of the APIs that call a stage's function: one, or two where a deployment was killed.

    One of another name is somebody else's, also where it may call the function.
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
        # An imported API may lack the permission to invoke the function, but its integrations name it.
        yield from (api_id for api_id in others if _calls(gateways, api_id, arn))


def _calls(gateways: Any, api_id: str, arn: str) -> bool:
    """Return whether an API's first page is answered by the function whose ARN ends so."""
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
