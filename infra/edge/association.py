"""Check and restore the association of an API with the web ACL that closes it to all callers except CloudFront.

The association is lost when API Gateway's stage is deleted, or when it is manually removed. CloudFormation doesn't
notice this, and a recreated API Gateway stage is open to all callers.
"""

from collections.abc import Iterator
from typing import Any

import boto3

from infra import configuration
from infra.data_stack.cloudformation import output
from infra.edge.stacks import WHOLE
from infra.failed import DeployError


def closes(origin: dict[str, Any] | None, api_id: str | None) -> bool:
    """Return whether the described stack is complete and its web ACL is associated with the given API."""
    return origin is not None and origin["StackStatus"] in WHOLE and output(origin, "RestApiId") == api_id


def is_open(stage: str, api_id: str | None) -> bool:
    """Return whether the API Gateway stage has no web ACL, or is missing and will be recreated without a web ACL."""
    return not (api_id and _web_acl(stage, api_id))


def restore(stage: str, api_id: str) -> None:
    """Associate the stage's web ACL with its API again, if the API has no web ACL.

    Raises DeployError, with instructions, if the web ACL was deleted as well.
    """
    if _web_acl(stage, api_id) != "":
        return
    name = f"latchkey-{stage}-origin"  # the name of the web ACL and of its stack
    arn = next((each["ARN"] for each in _listed() if each["Name"] == name), "")
    if not arn:
        raise DeployError(
            f"The web ACL {name}, which closed the API to all callers except CloudFront, was manually deleted. Delete"
            f" its stack: aws cloudformation delete-stack --stack-name {name}. Then run this again."
        )
    session = boto3.session.Session()
    region = str(session.region_name)
    end = f"/restapis/{api_id}/stages/{configuration.gateway_stage(stage)}"
    of_stage = f"arn:{session.get_partition_for_region(region)}:apigateway:{region}::{end}"
    boto3.client("wafv2").associate_web_acl(WebACLArn=arn, ResourceArn=of_stage)


def remedy(again: str) -> str:
    """Return instructions for an API whose web ACL was removed."""
    return f"The API's own URL is open to all callers, since its web ACL was removed. To restore it: {again}."


def _web_acl(stage: str, api_id: str) -> str | None:
    """Return the ARN of an API Gateway stage's web ACL; "" if it has none, None if the stage doesn't exist."""
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
