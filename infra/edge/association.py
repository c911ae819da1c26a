"""The web ACL that closes a stage's API, as API Gateway has it; CloudFormation believes it there for good.

It goes when somebody deletes the API's stage, or takes it off by hand. The stage that is made again is open to all.
"""

from collections.abc import Iterator
from typing import Any

import boto3

from infra import configuration
from infra.data_stack.cloudformation import output
from infra.edge.stacks import WHOLE
from infra.failed import DeployError


def closes(origin: dict[str, Any] | None, api_id: str | None) -> bool:
    """Return whether a stack, as CloudFormation describes it, is whole and has put a web ACL before this API."""
    return origin is not None and origin["StackStatus"] in WHOLE and output(origin, "RestApiId") == api_id


def is_open(stage: str, api_id: str | None) -> bool:
    """Return whether no web ACL is before the API's stage, or will be when the stage is made again."""
    return not (api_id and _web_acl(stage, api_id))


def restore(stage: str, api_id: str) -> None:
    """Put the stage's own web ACL before its API again, where none is.

    Raises DeployError, with what to do, where that was deleted, too.
    """
    if _web_acl(stage, api_id) != "":
        return
    name = f"latchkey-{stage}-origin"  # the web ACL's, and its stack's
    arn = next((each["ARN"] for each in _listed() if each["Name"] == name), "")
    if not arn:
        raise DeployError(
            f"The web ACL {name} was deleted by hand, which closed the API to all but CloudFront. Delete the stack that"
            f" made it: aws cloudformation delete-stack --stack-name {name}. Then run this again."
        )
    session = boto3.session.Session()
    region = str(session.region_name)
    end = f"/restapis/{api_id}/stages/{configuration.gateway_stage(stage)}"
    of_stage = f"arn:{session.get_partition_for_region(region)}:apigateway:{region}::{end}"
    boto3.client("wafv2").associate_web_acl(WebACLArn=arn, ResourceArn=of_stage)


def remedy(again: str) -> str:
    """Return what to do where the web ACL is gone."""
    return f"The API's own address is open to all, since its web ACL was taken off. To put it there again: {again}."


def _web_acl(stage: str, api_id: str) -> str | None:
    """Return the ARN of the web ACL before the API's stage; "" where it has none, None where it isn't there."""
    gateways = boto3.client("apigateway")
    try:
        found = gateways.get_stage(restApiId=api_id, stageName=configuration.gateway_stage(stage))
    except gateways.exceptions.NotFoundException:
        return None
    return str(found.get("webAclArn") or "")


def _listed() -> Iterator[dict[str, Any]]:
    client = boto3.client("wafv2")
    more: dict[str, str] = {}
    while True:
        page = client.list_web_acls(Scope="REGIONAL", **more)
        yield from page["WebACLs"]
        if not page["WebACLs"] or not page.get("NextMarker"):
            return
        more = {"NextMarker": page["NextMarker"]}
