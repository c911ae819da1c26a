"""CloudFormation as far as the data stack needs it, with what it refuses; what it makes, moto's services make.

Moto's own updates no table, knows no import and no protection, makes no alarm, and refuses nothing.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from moto.dynamodb.models import dynamodb_backends

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
    """CloudFormation refuses a call: code and message."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


class Failed(Exception):
    """A resource could not be made or changed."""


class Attributes(dict[str, str]):
    """The attributes of a resource of a kind that nothing is made for: each is there, and named after itself."""

    def __missing__(self, name: str) -> str:
        """Return something to tell it by."""
        return f"the-{name.lower()}"


class Made(NamedTuple):
    """What came of a resource: what `Ref` gives, what `GetAtt` gives, and what it was made from."""

    ref: str
    attributes: dict[str, str]
    resource: Json


@dataclass
class Stack:
    """One stack."""

    name: str
    template: Json
    parameters: dict[str, str]
    status: str
    protected: bool = False
    made: dict[str, Made] = field(default_factory=dict)


@dataclass
class CloudFormation:
    """The stacks of one region."""

    client: Callable[[str], Any]
    region: str
    account: str
    dashboards: set[str] = field(default_factory=set)
    """Their names, which all regions of the account share."""
    stacks: dict[str, Stack] = field(default_factory=dict)
    changes: dict[tuple[str, str], Json] = field(default_factory=dict)
    fails_at: str = ""
    """The logical id of a resource that can't be made, once."""
    associated: dict[str, str] = field(default_factory=dict)
    """By ARN of a stage of an API the web ACL that is before it."""
    unimportable: str = ""
    """Why tables can't be taken into a stack; empty where they can."""
    undeletable: set[str] = field(default_factory=set)
    """Types of resources that can't be deleted, as an edge function while there are copies of it."""

    done: list[tuple[str, str, str]] = field(default_factory=list)
    """What was done to resources, in its order: action, type, logical id."""

    @property
    def partition(self) -> str:
        """Return the partition of the region."""
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def answer(self, form: dict[str, str]) -> tuple[str, bytes]:
        """Return status and body of one call."""
        action = form["Action"]
        try:
            result = getattr(self, f"_{re.sub('(?<!^)(?=[A-Z])', '_', action).lower()}")(form)
        except Refused as error:
            said = f"<Type>Sender</Type><Code>{error.code}</Code><Message>{escape(str(error))}</Message>"
            return "400 Bad Request", f"<ErrorResponse><Error>{said}</Error></ErrorResponse>".encode()
        body = f"<{action}Response><{action}Result>{result or ''}</{action}Result></{action}Response>"
        return "200 OK", body.encode()

    def _create_stack(self, form: dict[str, str]) -> str:
        name = form["StackName"]
        if name in self.stacks:
            raise Refused(f"Stack [{name}] already exists", "AlreadyExistsException")
        stack = Stack(
            name, _template(form), {}, "CREATE_IN_PROGRESS", form.get("EnableTerminationProtection") == "true"
        )
        self.stacks[name] = stack
        stack.parameters = _parameters(form, stack)
        try:
            self._bring(stack, stack.template)
        except Failed:
            for logical in reversed(list(stack.made)):
                self._take_back(stack, logical)
            stack.status = "ROLLBACK_FAILED" if stack.made else "ROLLBACK_COMPLETE"
        else:
            stack.status = "CREATE_COMPLETE"
        return "<StackId>1</StackId>"

    def _update_stack(self, form: dict[str, str]) -> str:
        stack = self._there(form)
        if not stack.status.endswith("_COMPLETE") or stack.status == "ROLLBACK_COMPLETE":
            raise Refused(f"Stack:{stack.name} is in {stack.status} state and can not be updated.")
        template = _template(form)
        parameters = _parameters(form, Stack(stack.name, template, stack.parameters, ""))
        if (template, parameters) == (stack.template, stack.parameters):
            raise Refused("No updates are to be performed.")
        before = stack.template, stack.parameters
        stack.parameters = parameters
        try:
            self._bring(stack, template)
        except Failed:
            stack.parameters = before[1]
            self._bring(stack, before[0])
            stack.status = "UPDATE_ROLLBACK_COMPLETE"
        else:
            stack.template, stack.status = template, "UPDATE_COMPLETE"
        return "<StackId>1</StackId>"

    def _describe_stacks(self, form: dict[str, str]) -> str:
        listed = [self._there(form)] if "StackName" in form else list(self.stacks.values())
        told = "".join(self._described(stack) for stack in listed)
        # What is being deleted is seen so once, and then gone.
        self.stacks = {name: each for name, each in self.stacks.items() if each.status != "DELETE_IN_PROGRESS"}
        return f"<Stacks>{told}</Stacks>"

    def _described(self, stack: Stack) -> str:
        outputs = stack.template.get("Outputs", {}) if stack.status in WHOLE else {}
        values = {name: self._value(stack, output["Value"]) for name, output in outputs.items()}
        listed = "".join(
            f"<member><OutputKey>{name}</OutputKey><OutputValue>{escape(str(value))}</OutputValue></member>"
            for name, value in values.items()
        )
        declared = stack.template.get("Parameters", {})
        given = "".join(
            f"<member><ParameterKey>{name}</ParameterKey><ParameterValue>"
            f"{'****' if declared[name].get('NoEcho') else escape(value)}</ParameterValue></member>"
            for name, value in stack.parameters.items()
            if name in declared
        )
        return (
            f"<member><StackName>{stack.name}</StackName><Parameters>{given}</Parameters><StackId>1</StackId><CreationTime>2026-01-01T00:00:00Z"
            f"</CreationTime><StackStatus>{stack.status}</StackStatus>"
            f"<EnableTerminationProtection>{str(stack.protected).lower()}</EnableTerminationProtection><Outputs>{listed}</Outputs></member>"
        )

    def _list_stack_resources(self, form: dict[str, str]) -> str:
        stack = self._there(form)
        listed = "".join(
            f"<member><LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{escape(made.ref)}"
            f"</PhysicalResourceId><ResourceType>{made.resource['Type']}</ResourceType>"
            f"<ResourceStatus>{_status(stack, made, self.undeletable)}</ResourceStatus>"
            "<LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp></member>"
            for logical, made in stack.made.items()
        )
        return f"<StackResourceSummaries>{listed}</StackResourceSummaries>"

    def _get_template(self, form: dict[str, str]) -> str:
        return f"<TemplateBody>{escape(json.dumps(self._there(form).template))}</TemplateBody>"

    def _update_termination_protection(self, form: dict[str, str]) -> str:
        self._there(form).protected = form["EnableTerminationProtection"] == "true"
        return "<StackId>1</StackId>"

    def _delete_stack(self, form: dict[str, str]) -> str:
        stack = self.stacks.get(form["StackName"])
        if stack is None:
            return ""
        if stack.protected:
            raise Refused(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        for logical in reversed(list(stack.made)):
            if stack.made[logical].resource["Type"] in self.undeletable:
                stack.status = "DELETE_FAILED"
                return ""
            if "Retain" not in stack.made[logical].resource.get("DeletionPolicy", "Delete"):
                self._take_back(stack, logical)
            else:
                self.done.append(("Leave", stack.made[logical].resource["Type"], logical))
        self.done.append(("Remove", "AWS::CloudFormation::Stack", stack.name))
        del self.stacks[stack.name]
        return ""

    def _create_change_set(self, form: dict[str, str]) -> str:
        name, kind = form["StackName"], form["ChangeSetType"]
        stack = self.stacks.get(name) or Stack(name, {"Resources": {}}, {}, "REVIEW_IN_PROGRESS")
        if kind == "UPDATE" and (not stack.status.endswith("_COMPLETE") or stack.status == "ROLLBACK_COMPLETE"):
            raise Refused(f"Stack:{name} is in {stack.status} state and can not be updated.")
        template, imported = _template(form), _members(form, "ResourcesToImport", "LogicalResourceId")
        if kind == "IMPORT":
            changed = {
                logical
                for logical in template["Resources"].keys() | stack.template["Resources"].keys()
                if template["Resources"].get(logical) != stack.template["Resources"].get(logical)
            }
            if changed != set(imported):
                raise Refused("As part of the import operation, you cannot modify or add resources")
            if template.get("Outputs", {}) != stack.template.get("Outputs", {}):
                raise Refused("As part of the import operation, you cannot modify or add [Outputs]")
            if any("DeletionPolicy" not in template["Resources"][logical] for logical in imported):
                raise Refused("Resources to import must have a DeletionPolicy attribute")
        self.stacks[name] = stack
        parameters = _parameters(form, Stack(name, template, stack.parameters, ""))
        change = {"template": template, "parameters": parameters, "imported": imported}
        self.changes[name, form["ChangeSetName"]] = change
        return "<Id>1</Id><StackId>1</StackId>"

    def _describe_change_set(self, form: dict[str, str]) -> str:
        change, stack = self.changes[form["StackName"], form["ChangeSetName"]], self.stacks[form["StackName"]]
        if change["imported"] and self.unimportable:
            return f"<Status>FAILED</Status><StatusReason>{self.unimportable}</StatusReason><Changes></Changes>"
        now, then = stack.template["Resources"], change["template"]["Resources"]
        changes = dict.fromkeys(then.keys() - now.keys(), "Add")
        changes |= dict.fromkeys(now.keys() - then.keys(), "Remove")
        changed = {name for name, value in change["parameters"].items() if stack.parameters.get(name) != value}
        changes |= {
            logical: "Modify"
            for logical in now.keys() & then.keys()
            if now[logical] != then[logical] or _depends(then[logical], change["template"], changed)
        }
        listed = "".join(
            f"<member><Type>Resource</Type><ResourceChange><Action>{action}</Action><LogicalResourceId>{logical}"
            f"</LogicalResourceId><ResourceType>{(then.get(logical) or now[logical])['Type']}</ResourceType>"
            "</ResourceChange></member>"
            for logical, action in sorted(changes.items())
        )
        return f"<Status>CREATE_COMPLETE</Status><Changes>{listed}</Changes>"

    def _delete_change_set(self, form: dict[str, str]) -> str:
        del self.changes[form["StackName"], form["ChangeSetName"]]
        return ""

    def _execute_change_set(self, form: dict[str, str]) -> str:
        stack, change = self.stacks[form["StackName"]], self.changes.pop((form["StackName"], form["ChangeSetName"]))
        stack.parameters = change["parameters"]
        if change["imported"]:
            stack.template, stack.status = change["template"], "IMPORT_COMPLETE"
            for logical in change["imported"]:
                resource = self._resolved(stack, stack.template["Resources"][logical])
                self.done.append(("Import", resource["Type"], logical))
                if resource["Type"] == LOGS:
                    stack.made[logical] = self._of_log_group(resource)
                    continue
                there = self._table(resource["Properties"]["TableName"]).describe("Table")["Table"]
                stack.made[logical] = _of_table(there, resource)
        return ""

    def _there(self, form: dict[str, str]) -> Stack:
        name = form["StackName"]
        if name not in self.stacks:
            raise Refused(f"Stack with id {name} does not exist")
        return self.stacks[name]

    def _bring(self, stack: Stack, template: Json) -> None:
        """Make a stack what a template says."""
        stack.template, before = template, stack.template
        wanted = {
            logical: resource
            for logical, resource in template["Resources"].items()
            if "Condition" not in resource or self._holds(stack, template["Conditions"][resource["Condition"]])
        }
        try:
            for logical in _in_order(wanted):
                if logical == self.fails_at:
                    self.fails_at = ""
                    raise Failed(logical)
                self._make(stack, logical, self._resolved(stack, wanted[logical]))
            for logical in [each for each in stack.made if each not in wanted]:
                self._take_back(stack, logical)
        except Failed:
            stack.template = before
            raise

    def _make(self, stack: Stack, logical: str, resource: Json) -> None:
        known = stack.made.get(logical)
        if known is not None and known.resource == resource:
            return
        kind, properties = resource["Type"], resource["Properties"]
        self.done.append(("Add" if known is None else "Modify", kind, logical))
        if kind == TABLE:
            stack.made[logical] = self._put_table(properties, known, resource)
        elif kind == LOGS:
            stack.made[logical] = self._put_log_group(properties, known, resource)
        elif kind == TOPIC:
            topics = self.client("sns")
            arn = topics.create_topic(Name=properties["TopicName"])["TopicArn"]
            for each in properties.get("Subscription", []):
                topics.subscribe(TopicArn=arn, Protocol=each["Protocol"], Endpoint=each["Endpoint"])
            stack.made[logical] = Made(arn, {}, resource)
        elif kind == ALARM:
            self.client("cloudwatch").put_metric_alarm(**_typed(properties))
            stack.made[logical] = Made(properties["AlarmName"], {}, resource)
        elif kind == DASHBOARD:
            stack.made[logical] = self._put_dashboard(properties["DashboardName"], known, resource)
            self.client("cloudwatch").put_dashboard(**properties)
        elif kind == ASSOCIATION:
            self.associated[properties["ResourceArn"]] = properties["WebACLArn"]
            stack.made[logical] = Made(properties["ResourceArn"], {}, resource)
        elif kind == ROLE:
            stack.made[logical] = self._put_role(properties, known, resource)
        else:
            stack.made[logical] = Made(f"{stack.name}-{logical}", Attributes(), resource)

    def _put_log_group(self, properties: Json, known: Made | None, resource: Json) -> Made:
        logs, name = self.client("logs"), properties["LogGroupName"]
        if known is None:
            try:
                logs.create_log_group(logGroupName=name)
            except logs.exceptions.ResourceAlreadyExistsException as error:
                raise Failed(f"{name} already exists") from error
        if "RetentionInDays" in properties:
            logs.put_retention_policy(logGroupName=name, retentionInDays=int(properties["RetentionInDays"]))
        return self._of_log_group(resource)

    def _of_log_group(self, resource: Json) -> Made:
        name = resource["Properties"]["LogGroupName"]
        return Made(name, {"Arn": f"arn:aws:logs:{self.region}:{self.account}:log-group:{name}:*"}, resource)

    def _put_table(self, properties: Json, known: Made | None, resource: Json) -> Made:
        tables, name = self.client("dynamodb"), properties["TableName"]
        if known is None:
            request = {key: properties[key] for key in OF_CREATE_TABLE if key in properties}
            if "StreamSpecification" in properties:
                request["StreamSpecification"] = {"StreamEnabled": True, **properties["StreamSpecification"]}
            try:
                there = tables.create_table(**request)["TableDescription"]
            except tables.exceptions.ResourceInUseException as error:
                raise Failed(f"{name} already exists") from error
            self._keep(properties, {})
            return _of_table(there, resource)
        self._keep(properties, known.resource["Properties"])
        table = self._table(name)
        has = {index.name for index in table.global_indexes}
        wants = {index["IndexName"]: index for index in properties.get("GlobalSecondaryIndexes", ())}
        changes = [{"Create": wants[index]} for index in wants.keys() - has]
        changes += [{"Delete": {"IndexName": index}} for index in has - wants.keys()]
        if len(changes) > 1:
            raise Failed("Cannot perform more than one GSI creation or deletion in a single update")
        for change in changes:
            attributes = {"AttributeDefinitions": properties["AttributeDefinitions"]}
            tables.update_table(TableName=name, **attributes, GlobalSecondaryIndexUpdates=[change])
        table.deletion_protection_enabled = properties["DeletionProtectionEnabled"]
        return _of_table(table.describe()["TableDescription"], resource)

    def _table(self, name: str) -> Any:
        """Return a table as moto has it: to ask its server takes twenty times as long."""
        return dynamodb_backends[self.account][self.region].get_table(name)

    def _keep(self, properties: Json, before: Json) -> None:
        """Switch on what isn't on as far as it was told; to expire items that expire already, DynamoDB refuses."""
        moto, name = dynamodb_backends[self.account][self.region], properties["TableName"]
        lifetime, backups = "TimeToLiveSpecification", "PointInTimeRecoverySpecification"
        if properties.get(lifetime) != before.get(lifetime):
            if self._table(name).ttl["TimeToLiveStatus"] == "ENABLED":
                raise Failed("TimeToLive is already enabled")
            moto.update_time_to_live(name, properties[lifetime])
        if properties.get(backups) != before.get(backups):
            moto.update_continuous_backups(name, properties[backups])

    def _put_dashboard(self, name: str, known: Made | None, resource: Json) -> Made:
        """Make one: its name is the account's, and one with another name is another one."""
        if known is None or known.ref != name:
            if name in self.dashboards:
                raise Failed(f"{name} already exists")
            self.dashboards.add(name)
            self.dashboards.discard(known.ref if known else "")
        return Made(name, {}, resource)

    def _put_role(self, properties: Json, known: Made | None, resource: Json) -> Made:
        iam, name = self.client("iam"), properties["RoleName"]
        if known is None:
            try:
                trusts = json.dumps(properties["AssumeRolePolicyDocument"])
                bounds = {each: properties[each] for each in ("PermissionsBoundary",) if each in properties}
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusts, **bounds)
            except iam.exceptions.EntityAlreadyExistsException as error:
                raise Failed(f"{name} already exists") from error
        for policy in properties.get("Policies", []):
            document = json.dumps(policy["PolicyDocument"])
            iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
        return Made(name, {"Arn": iam.get_role(RoleName=name)["Role"]["Arn"]}, resource)

    def _take_back(self, stack: Stack, logical: str) -> None:
        """Delete what a resource made; leave it where it can't be deleted, as a table that is protected."""
        made = stack.made[logical]
        if made.resource["Type"] == TABLE:
            tables = self.client("dynamodb")
            if tables.describe_table(TableName=made.ref)["Table"]["DeletionProtectionEnabled"]:
                return
            tables.delete_table(TableName=made.ref)
        elif made.resource["Type"] == ROLE:
            iam = self.client("iam")
            with suppress(iam.exceptions.NoSuchEntityException):  # gone already counts as deleted
                for policy in iam.list_role_policies(RoleName=made.ref)["PolicyNames"]:
                    iam.delete_role_policy(RoleName=made.ref, PolicyName=policy)
                iam.delete_role(RoleName=made.ref)
        elif made.resource["Type"] == LOGS:
            logs = self.client("logs")
            with suppress(logs.exceptions.ResourceNotFoundException):  # as above
                logs.delete_log_group(logGroupName=made.ref)
        elif made.resource["Type"] == TOPIC:
            self.client("sns").delete_topic(TopicArn=made.ref)
        elif made.resource["Type"] == ASSOCIATION:
            self.associated.pop(made.ref, None)
        elif made.resource["Type"] == ALARM:
            self.client("cloudwatch").delete_alarms(AlarmNames=[made.ref])
        elif made.resource["Type"] == DASHBOARD:
            self.dashboards.discard(made.ref)
            with suppress(self.client("cloudwatch").exceptions.ResourceNotFound):  # as above
                self.client("cloudwatch").delete_dashboards(DashboardNames=[made.ref])
        self.done.append(("Remove", made.resource["Type"], logical))
        del stack.made[logical]

    def _resolved(self, stack: Stack, resource: Json) -> Json:
        resolved: Json = self._value(stack, deepcopy(resource))
        return resolved

    def _holds(self, stack: Stack, condition: Any) -> bool:
        return bool(self._value(stack, condition))

    def _value(self, stack: Stack, given: Any) -> Any:
        """Return what a value is once its functions are worked out."""
        if isinstance(given, list):
            values = [self._value(stack, each) for each in given]
            return [value for value in values if value is not NO_VALUE]
        if not isinstance(given, dict):
            return given
        if len(given) == 1 and FUNCTIONS.issuperset(given):
            ((function, argument),) = given.items()
            return self._worked_out(stack, function, argument)
        known = {name: self._value(stack, value) for name, value in given.items()}
        return {name: value for name, value in known.items() if value is not NO_VALUE}

    def _worked_out(self, stack: Stack, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._ref(stack, argument)
            case "Fn::GetAtt":
                return stack.made[argument[0]].attributes[argument[1]]
            case "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda found: str(self._ref(stack, found[1])), argument)
            case "Fn::If":
                condition, then, otherwise = argument
                is_so = self._holds(stack, stack.template["Conditions"][condition])
                return self._value(stack, then if is_so else otherwise)
            case "Fn::Equals":
                one, other = argument
                return self._value(stack, one) == self._value(stack, other)
        return not self._value(stack, argument[0])

    def _ref(self, stack: Stack, name: str) -> Any:
        of_region = {"AWS::Region": self.region, "AWS::AccountId": self.account, "AWS::Partition": self.partition}
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in of_region:
            return of_region[name]
        if name in stack.parameters:
            return stack.parameters[name]
        logical, _, attribute = name.partition(".")
        made = stack.made[logical]
        return made.attributes[attribute] if attribute else made.ref


NO_VALUE = object()
FUNCTIONS = {"Ref", "Fn::GetAtt", "Fn::Sub", "Fn::If", "Fn::Equals", "Fn::Not"}
WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


def _of_table(there: Json, resource: Json) -> Made:
    attributes = {"Arn": there["TableArn"], "StreamArn": there.get("LatestStreamArn", "")}
    return Made(there["TableName"], attributes, resource)


def _template(form: dict[str, str]) -> Json:
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


def _parameters(form: dict[str, str], stack: Stack) -> dict[str, str]:
    """Return the parameters' values: what is given, what stays as it was, and the template's defaults."""
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


def _depends(resource: Json, template: Json, changed: set[str]) -> bool:
    """Return whether a resource depends on a parameter, by itself or by a condition, that has another value then."""
    conditions = {name for name, each in template.get("Conditions", {}).items() if _names(json.dumps(each)) & changed}
    return bool(_names(json.dumps(resource)) & (changed | conditions))


def _names(text: str) -> set[str]:
    """Return what a text refers to, by `Ref`, `Fn::If` or within `Fn::Sub`."""
    return {found for each in re.findall(r'"Ref": "(\w+)"|"Fn::If": \["(\w+)"|\$\{(\w+)\}', text) for found in each}


def _status(stack: Stack, made: Made, undeletable: set[str]) -> str:
    is_stuck = stack.status == "DELETE_FAILED" and made.resource["Type"] in undeletable
    return "DELETE_FAILED" if is_stuck else "CREATE_COMPLETE"


def _members(form: dict[str, str], listed: str, name: str) -> list[str]:
    return [value for key, value in form.items() if key.startswith(f"{listed}.member.") and key.endswith(f".{name}")]


def _in_order(resources: Json) -> list[str]:
    """Return the resources in an order in which each comes after those that it names."""
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


def _typed(properties: Json) -> Json:
    """Return an alarm's properties as the API takes them."""
    return {name: value for name, value in properties.items() if name != "Tags"}


def form_of(body: bytes) -> dict[str, str]:
    """Return what a call to CloudFormation asks for."""
    return dict(parse_qsl(body.decode(), keep_blank_values=True))
