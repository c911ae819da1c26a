"""The calls of AWS WAF and API Gateway that a closed API needs: web ACLs, and the association with a stage."""

from typing import Any

from tests.deploy.stack_template import WEB_ACL
from tests.deploy.stacks import CloudFormation


def answer(formation: CloudFormation, called: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Respond to a call to AWS WAF."""
    if called == "AssociateWebACL":
        formation.associated[asked["ResourceArn"]] = asked["WebACLArn"]
        return {}
    made = [each for stack in formation.stacks.values() for each in stack.made.values()]
    acls = [each.resource["Properties"] for each in made if each.resource["Type"] == WEB_ACL]
    names = [each["Name"] for each in acls if each["Scope"] == asked["Scope"]]
    of_region = f"arn:{formation.partition}:wafv2:{formation.region}:{formation.account}:regional/webacl"
    return {"WebACLs": [{"Name": name, "ARN": f"{of_region}/{name}/1"} for name in names]}


def shown(formation: CloudFormation, path: str, stage: dict[str, Any]) -> dict[str, Any]:
    """Return an API's stage with the web ACL that is associated with it."""
    arn = next((acl for stage_arn, acl in formation.associated.items() if stage_arn.endswith(f":{path}")), None)
    return stage | ({"webAclArn": arn} if arn else {})
