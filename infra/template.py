"""Build the CloudFormation template of the data stack from `resources.yaml` and a role for each function.

A role has its function's permissions in `policies/`, limited to one region, account and stage. Roles are part of the
data stack, so that they exist and have propagated to Lambda before the functions are created. Their names include the
region, because role names are unique per account.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from infra import deployed
from infra.data import RESOURCES

POLICIES = Path(__file__).with_name("policies")
TABLE = "AWS::DynamoDB::Table"
IDENTITIES, CONFIGURATION_SETS = "identity/*", "configuration-set/*"
"""The resources for sending emails. SES also requires permission for an identity's default configuration set."""
Template = dict[str, Any]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the one in C, where it was built
    """A YAML loader that converts short forms such as `!Sub x` to long forms such as `{"Fn::Sub": "x"}`."""


def composed(mail_from: str = "") -> Template:
    """Return the template of a stage. `mail_from` is the sender of its emails, or "" if it sends no emails."""
    loaded = read(RESOURCES)
    for name in deployed.FUNCTIONS:
        loaded["Resources"][logical_role(name)] = _role(name, mail_from)
        arn = {"Fn::GetAtt": [logical_role(name), "Arn"]}
        loaded["Outputs"][logical_role(name)] = {"Value": arn}
    return loaded


def read(file: Path) -> Template:
    """Read a template file, and convert intrinsic functions to their long form."""
    loaded: Template = yaml.load(file.read_text(), _Loader)  # noqa: S506 - a SafeLoader that knows `!Sub`
    return loaded


def as_text(template: Template) -> str:
    """Return a template as compact JSON, because CloudFormation limits it to 51,200 bytes."""
    return json.dumps(template, separators=(",", ":"))


def logical_role(name: str) -> str:
    """Return the logical id of a function's role, which is also the name of the output with the role's ARN."""
    return f"{_short(name).title()}Role"


def role_arn(name: str) -> str:
    """Return the ARN of a function's role, as a `Fn::Sub` string."""
    return f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{_role_name(name)}"


def tables(template: Template) -> dict[str, dict[str, Any]]:
    """Return the tables in a template, by logical id."""
    return {logical: each for logical, each in template["Resources"].items() if each["Type"] == TABLE}


def address(mail_from: str) -> str:
    """Return the email address of a sender, without the display name."""
    return mail_from.rpartition("<")[2].rstrip(">")


def _role(name: str, mail_from: str) -> Template:
    granted = json.loads((POLICIES / f"{_short(name)}.json").read_text())
    filled = (_fill_in(statement, mail_from) for statement in granted)
    statements = _merged(each for each in filled if each["Resource"])
    trusted = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": {"Fn::Sub": _role_name(name)},
            "PermissionsBoundary": {"Fn::If": ["IsBounded", {"Ref": "Boundary"}, {"Ref": "AWS::NoValue"}]},
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trusted]},
            "Policies": [
                {"PolicyName": "latchkey", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
            ],
        },
    }


def _merged(statements: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the statements, those that allow the same actions as one, because the size of a template is limited."""
    merged: dict[str, dict[str, Any]] = {}
    for each in statements:
        same = json.dumps([sorted(each["Action"]), each.get("Condition")])
        first = merged.setdefault(same, each | {"Resource": []})
        first["Resource"] = [*first["Resource"], *each["Resource"]]
    return list(merged.values())


def _fill_in(statement: dict[str, Any], mail_from: str) -> dict[str, Any]:
    """Return a policy statement with the sender filled in. For a stage without emails, the statement has no resources.

    In its sandbox, SES also requires permission for the recipient's identity. So the statement allows all identities,
    and a condition restricts the sender's address.
    """
    arns = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
    if not arns[0].endswith(IDENTITIES):
        return statement | {"Resource": [arn if arn == "*" else {"Fn::Sub": arn} for arn in arns]}
    if not mail_from:
        return statement | {"Resource": []}
    ends = (IDENTITIES, CONFIGURATION_SETS)
    return statement | {
        "Resource": [{"Fn::Sub": arns[0].removesuffix(IDENTITIES) + end} for end in ends],
        "Condition": {"StringEqualsIgnoreCase": {"ses:FromAddress": address(mail_from)}},
    }


def _role_name(name: str) -> str:
    return f"latchkey-${{Stage}}-${{AWS::Region}}-{_short(name)}"


def _short(name: str) -> str:
    return "api" if name == deployed.API else name


def _long_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    value: Any = loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value
    if tag in ("Ref", "Condition"):
        return {tag: value}
    return {f"Fn::{tag}": value.split(".") if tag == "GetAtt" else value}


_Loader.add_multi_constructor("!", _long_form)
