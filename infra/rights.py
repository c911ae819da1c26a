"""`make policy`: print the IAM policies for a deployment, for an edge, and for the commands on a running stage.

They allow the commands' own calls, which tests record, and the calls that CloudFormation makes with the same
credentials, which `rights.json` lists by resource type. There are three policies, because IAM limits a policy to 6,144
characters.
"""

import argparse
import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from infra import closable_output, inputs
from infra.failed import Mistake

FILE = Path(__file__).with_name("rights.json")
LISTED = (
    "apigateway:GET",
    "cloudformation:ValidateTemplate",
    "cloudfront:ListDistributions",
    "cloudfront:ListFunctions",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:ListDashboards",
    "dynamodb:ListTables",
    "events:ListRules",
    "iam:ListRoles",
    "lambda:CreateEventSourceMapping",
    "lambda:DeleteEventSourceMapping",
    "lambda:GetEventSourceMapping",
    "lambda:GetLayerVersion",
    "lambda:ListEventSourceMappings",
    "lambda:ListFunctions",
    "lambda:UpdateEventSourceMapping",
    "logs:DescribeIndexPolicies",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "ses:GetAccount",
    "sns:ListTopics",
    "sns:Unsubscribe",
    "sts:GetCallerIdentity",
    "wafv2:ListWebACLs",
)
"""IAM actions that can't be restricted to the resources of a stage."""
OF_STACK = (
    *("CreateStack", "UpdateStack", "DeleteStack", "DescribeStacks", "DescribeStackEvents", "ListStackResources"),
    *("GetTemplate", "UpdateTerminationProtection", "CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet"),
    *("DeleteChangeSet", "ContinueUpdateRollback"),
)
OF_FUNCTION = (
    *("CreateFunction", "DeleteFunction", "GetFunction", "GetFunctionConfiguration", "UpdateFunctionCode"),
    *("UpdateFunctionConfiguration", "AddPermission", "RemovePermission", "GetPolicy", "ListTags", "TagResource"),
    *("UntagResource", "GetFunctionConcurrency", "PutFunctionConcurrency", "DeleteFunctionConcurrency"),
)
OF_RULE = (
    *("PutRule", "DeleteRule", "DescribeRule", "PutTargets", "RemoveTargets", "ListTargetsByRule"),
    *("TagResource", "UntagResource", "ListTagsForResource"),
)
OF_ITEMS = ("GetItem", "PutItem", "UpdateItem", "DeleteItem")
"""The item operations of a deployment. They are allowed only on the table with the deployment's lock."""
ITEMS = ("BatchGetItem", "ConditionCheckItem", "Query")
"""The additional item operations of the commands on accounts and of `make smoke`."""
LOOKS = {
    "apigateway": ("GET",),
    "cloudwatch": ("DescribeAlarms",),
    "dynamodb": ("ListTables",),
    "lambda": ("GetAccountSettings",),
    "ses": ("GetAccount", "GetEmailIdentity"),
    "xray": ("BatchGetTraces",),
}
"""The calls of `make smoke` and of the commands on accounts that can't be restricted to a stage, by service."""
EDGE_BESIDE = (
    *("apigateway:SetWebACL", "iam:CreateServiceLinkedRole", "lambda:EnableReplication*", "lambda:DisableReplication*"),
    *("lambda:Get*", "wafv2:*WebACL*"),
)
"""The actions for web ACLs and Lambda@Edge replicas that an edge requires but CloudFormation's schemas don't list."""
RESOURCES = {
    "cloudwatch": ("alarm:latchkey-{stage}-*", "dashboard/latchkey-{stage}*"),
    "dynamodb": ("table/latchkey-{stage}-*",),
    "iam": ("role/latchkey-{stage}-*",),
    "logs": ("log-group:/aws/lambda/latchkey-{stage}*", "log-group:/latchkey/{stage}/*"),
    "sns": ("latchkey-{stage}-*",),
}
"""The resources that CloudFormation creates for a stage, by AWS service."""
BESIDE = {"cloudwatch": ("EnableAlarmActions",)}
"""The calls for these resources that a deployment makes itself, without CloudFormation, by AWS service."""
Statement = dict[str, Any]


def policy(stage: str) -> dict[str, Any]:
    """Return the policy for deploying, inspecting and destroying a stage, in any region."""
    known = json.loads(FILE.read_text())
    made = sorted({action for actions in known["by_type"].values() for action in actions} - set(LISTED))
    statements = [
        _statement("Listed", LISTED, ["*"]),
        _statement("Gateway", [f"apigateway:{verb}" for verb in ("DELETE", "PATCH", "POST", "PUT")], _gateways()),
        _statement("Stack", _of("cloudformation", OF_STACK), _stacks(stage)),
        _statement("Functions", _of("lambda", OF_FUNCTION), [f"lambda:*:*:function:latchkey-{stage}*"]),
        _statement("Rules", _of("events", OF_RULE), [f"events:*:*:rule/latchkey-{stage}-*"]),
        _statement("Key", _of("ssm", _OF_KEY), [f"ssm:*:*:parameter/latchkey/{stage}/{key}" for key in _KEYS]),
        _statement("Lock", _of("dynamodb", OF_ITEMS), [f"dynamodb:*:*:table/latchkey-{stage}-tickets"]),
        _passing(stage),
        _statement("Domain", ["iam:CreateServiceLinkedRole"], [f"iam::*:role/aws-service-role/{OF_DOMAINS}/*"]),
    ]
    for service, ends in RESOURCES.items():
        of_service = [action for action in made if action.startswith(f"{service}:")]
        of_service += _of(service, BESIDE.get(service, ()))
        region = "" if service == "iam" else "*"
        arns = [f"{service}:{region}:*:{end.format(stage=stage)}" for end in ends]
        statements.append(_statement(f"Made{service.title()}", of_service, arns))
    return _whole(statements)


def edge(stage: str) -> dict[str, Any]:
    """Return the additional policy for deploying a stage with `EDGE=1`."""
    known = json.loads(FILE.read_text())
    return _whole([_edge(stage, known["edge"])])


def operate(stage: str) -> dict[str, Any]:
    """Return the policy for the commands on accounts and for `make smoke`.

    It doesn't allow measuring cold starts, because the permission to change a function's configuration is too powerful:
    it allows running other code.
    """
    looks = [action for service, calls in LOOKS.items() for action in _of(service, calls)]
    functions = ("GetFunctionConfiguration", "GetPolicy")
    topics = ("GetTopicAttributes", "ListSubscriptionsByTopic")
    return _whole(
        [
            _statement("Looks", looks, ["*"]),
            _statement("Items", _of("dynamodb", (*OF_ITEMS, *ITEMS)), [f"dynamodb:*:*:table/latchkey-{stage}-*"]),
            _statement("Key", ["ssm:GetParameter"], [f"ssm:*:*:parameter/latchkey/{stage}/key"]),
            _statement("Functions", _of("lambda", functions), [f"lambda:*:*:function:latchkey-{stage}*"]),
            _statement("Logs", ["logs:FilterLogEvents"], [f"logs:*:*:{end.format(stage=stage)}" for end in LOGS]),
            _statement("Topics", _of("sns", topics), [f"sns:*:*:latchkey-{stage}-*"]),
        ]
    )


OF_DOMAINS = "ops.apigateway.amazonaws.com"
"""The service whose service-linked role AWS creates when the first custom domain of an account is created."""
LOGS = ("log-group:/aws/lambda/latchkey-{stage}*", "log-group:/latchkey/{stage}/*")


_OF_KEY = ("PutParameter", "GetParameter", "DeleteParameters")
_KEYS = ("key", "edge*")


def _whole(statements: list[Statement]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def _passing(stage: str) -> Statement:
    """Return the permission to pass the functions' roles, but only to Lambda."""
    passed = _statement("Roles", ["iam:PassRole"], [f"iam::*:role/latchkey-{stage}-*"])
    return passed | {"Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}


def _stacks(stage: str) -> list[str]:
    """Return a stage's stacks, including its edge stacks, which `status` and `destroy` always look for."""
    return [f"cloudformation:*:*:stack/latchkey-{stage}-{end}/*" for end in ("data", "edge-*", "origin")]


def _edge(stage: str, by_type: dict[str, list[str]]) -> Statement:
    """Return the permission to create the resources of `EDGE=1`.

    It applies to all distributions, because their ids are random. It also allows creating the service-linked role that
    replicates functions.
    """
    made = {action for actions in by_type.values() for action in actions} - set(_of("lambda", OF_FUNCTION))
    # Compare in lower case: IAM ignores the case of actions, and AWS's schemas spell them inconsistently.
    known = [each.lower() for each in (*EDGE_BESIDE, *LISTED)]
    named = [action for action in made if not any(fnmatchcase(action.lower(), each) for each in known)]
    ends = [
        "cloudfront::*:distribution/*",
        f"cloudfront::*:function/latchkey-{stage}-*",
        f"wafv2:*:*:*/webacl/latchkey-{stage}-*",
        f"lambda:us-east-1:*:function:latchkey-{stage}-*",
        "apigateway:*::/restapis/*",
        "iam::*:role/aws-service-role/*",
    ]
    return _statement("Edge", sorted([*named, *EDGE_BESIDE]), ends)


def _gateways() -> list[str]:
    """Return the ARNs of all APIs, because the random id of a stage's API isn't known before its creation."""
    return [f"apigateway:*::/{part}" for part in ("restapis", "restapis/*", "domainnames", "domainnames/*", "tags/*")]


def _of(service: str, calls: tuple[str, ...]) -> list[str]:
    return [f"{service}:{call}" for call in calls]


def _statement(name: str, actions: Any, ends: list[str]) -> Statement:
    resources = [end if end == "*" else f"arn:*:{end}" for end in ends]
    return {"Sid": name, "Effect": "Allow", "Action": list(actions), "Resource": resources}


def main() -> int:
    """Print one of a stage's policies. If an option is invalid, print one sentence on standard error and return 1."""
    parser = argparse.ArgumentParser(prog="policy")
    parser.add_argument("--stage", default="")
    parser.add_argument("--edge", action="store_true")
    parser.add_argument("--operate", action="store_true")
    options = parser.parse_args()
    try:
        stage = inputs.stage("policy", options.stage)
        if options.edge and options.operate:
            raise Mistake("make policy takes EDGE=1 or OPERATE=1, not both: each prints a policy of its own.")
    except Mistake as error:
        print(error, file=sys.stderr)
        return 1
    made = edge if options.edge else operate if options.operate else policy
    with closable_output.discarded_when_closed():
        print(json.dumps(made(stage), indent=2), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
