"""Templates of the emulated CloudFormation: types, references and the order of resources."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

Json = dict[str, Any]
TEMPLATE_MAX_BYTES = 51_200
TABLE, LOGS, TOPIC = "AWS::DynamoDB::Table", "AWS::Logs::LogGroup", "AWS::SNS::Topic"
WEB_ACL, ASSOCIATION = "AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation"
ALARM, DASHBOARD, ROLE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::IAM::Role"
OF_CREATE_TABLE = (
    "TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes",
    "DeletionProtectionEnabled",
)  # fmt: skip


class Refused(Exception):
    """An error with which CloudFormation rejects a call, as code and message."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


class Failed(Exception):
    """Raised when a resource could not be created or updated."""


class Attributes(dict[str, str]):
    """The attributes of a resource whose type isn't emulated.

    The value of an attribute is derived from the attribute's name.
    """

    def __missing__(self, name: str) -> str:
        """Return a value that contains the attribute's name."""
        return f"the-{name.lower()}"


class Made(NamedTuple):
    """A created resource: the values of `Ref` and `GetAtt`, and its definition."""

    ref: str
    attributes: dict[str, str]
    resource: Json


@dataclass
class Stack:
    """A stack of the emulated CloudFormation."""

    name: str
    template: Json
    parameters: dict[str, str]
    status: str
    protected: bool = False
    made: dict[str, Made] = field(default_factory=dict)


NO_VALUE = object()
FUNCTIONS = {"Ref", "Fn::GetAtt", "Fn::Sub", "Fn::If", "Fn::Equals", "Fn::Not"}
WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


def table_of(there: Json, resource: Json) -> Made:
    attributes = {"Arn": there["TableArn"], "StreamArn": there.get("LatestStreamArn", "")}
    return Made(there["TableName"], attributes, resource)


def read_template(form: dict[str, str]) -> Json:
    body = form["TemplateBody"]
    if len(body.encode()) > TEMPLATE_MAX_BYTES:
        raise Refused(f"1 validation error detected: 'templateBody' must have length <= {TEMPLATE_MAX_BYTES}")
    template: Json = json.loads(body)
    if (
        ROLE in {each["Type"] for each in template["Resources"].values()}
        and "CAPABILITY_NAMED_IAM" not in form.values()
    ):
        raise Refused("Requires capabilities : [CAPABILITY_NAMED_IAM]", "InsufficientCapabilitiesException")
    return template


def read_parameters(form: dict[str, str], stack: Stack) -> dict[str, str]:
    """Return the value of each parameter: the given or previous value, or the template's default."""
    declared = stack.template.get("Parameters", {})
    values = {name: str(each["Default"]) for name, each in declared.items() if "Default" in each}
    for start in {name.rsplit(".", 1)[0] for name in form if name.startswith("Parameters.member.")}:
        name = form[f"{start}.ParameterKey"]
        if name not in declared:
            raise Refused(f"Parameters: [{name}] do not exist in the template")
        if form.get(f"{start}.UsePreviousValue") == "true":
            if name not in stack.parameters:
                raise Refused(f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true")
            values[name] = stack.parameters[name]
        else:
            values[name] = form[f"{start}.ParameterValue"]
    missing = declared.keys() - values.keys()
    if missing:
        raise Refused(f"Parameters: [{', '.join(sorted(missing))}] must have values")
    return values


def depends(resource: Json, template: Json, changed: set[str]) -> bool:
    """Return whether a changed parameter affects a resource, directly or through a condition."""
    conditions = {name for name, each in template.get("Conditions", {}).items() if names_in(json.dumps(each)) & changed}
    return bool(names_in(json.dumps(resource)) & (changed | conditions))


def names_in(text: str) -> set[str]:
    """Return the names that a JSON text references by `Ref`, `Fn::If` or `Fn::Sub`."""
    return {found for each in re.findall(r'"Ref": "(\w+)"|"Fn::If": \["(\w+)"|\$\{(\w+)\}', text) for found in each}


def status_of(stack: Stack, made: Made, undeletable: set[str]) -> str:
    is_stuck = stack.status == "DELETE_FAILED" and made.resource["Type"] in undeletable
    return "DELETE_FAILED" if is_stuck else "CREATE_COMPLETE"


def members(form: dict[str, str], listed: str, name: str) -> list[str]:
    return [value for key, value in form.items() if key.startswith(f"{listed}.member.") and key.endswith(f".{name}")]


def in_order(resources: Json) -> list[str]:
    """Return the resources so that each comes after those that it references."""
    ordered: list[str] = []

    def add(logical: str) -> None:
        if logical in ordered:
            return
        told = json.dumps(resources[logical])
        for other in resources:
            if other != logical and re.search(rf'"(Ref|Fn::GetAtt)": \[?"{other}"|\$\{{{other}[.}}]', told):
                add(other)
        ordered.append(logical)

    for logical in resources:
        add(logical)
    return ordered


def typed(properties: Json) -> Json:
    """Return an alarm's properties with the types that the API of CloudWatch expects."""
    return {name: value for name, value in properties.items() if name != "Tags"}


def form_of(body: bytes) -> dict[str, str]:
    """Return the parameters of a call to CloudFormation by name."""
    return dict(parse_qsl(body.decode(), keep_blank_values=True))
