"""Resources of the emulated CloudFormation, which moto's services create, update, retain and delete."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from tests.deploy.stack_template import (
    ALARM,
    ASSOCIATION,
    DASHBOARD,
    FUNCTIONS,
    LOGS,
    NO_VALUE,
    OF_CREATE_TABLE,
    ROLE,
    TABLE,
    TOPIC,
    Attributes,
    Failed,
    Json,
    Made,
    Stack,
    in_order,
    table_of,
    typed,
)


@dataclass
class StackResources:
    """The stacks of one region."""

    client: Callable[[str], Any]
    region: str
    account: str
    dashboards: set[str] = field(default_factory=set)
    """The names of dashboards, which are unique in the account."""
    stacks: dict[str, Stack] = field(default_factory=dict)
    changes: dict[tuple[str, str], Json] = field(default_factory=dict)
    fails_at: str = ""
    """The logical id of a resource whose creation fails once, or ""."""
    associated: dict[str, str] = field(default_factory=dict)
    """The web ACL of each stage, by the stage's ARN."""
    unimportable: str = ""
    """The reason why tables can't be imported, or "" if they can."""
    undeletable: set[str] = field(default_factory=set)
    """Types of resources that can't be deleted, like an edge function that CloudFront still replicates."""

    done: list[tuple[str, str, str]] = field(default_factory=list)
    """The actions on resources in order, each as action, type and logical id."""

    @property
    def partition(self) -> str:
        """Return the AWS partition of the region."""
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def _bring(self, stack: Stack, template: Json) -> None:
        """Create, update and delete resources until the stack equals the template."""
        stack.template, before = template, stack.template
        wanted = {
            logical: resource
            for logical, resource in template["Resources"].items()
            if "Condition" not in resource or self._holds(stack, template["Conditions"][resource["Condition"]])
        }
        try:
            for logical in in_order(wanted):
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
            self.client("cloudwatch").put_metric_alarm(**typed(properties))
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
            return table_of(there, resource)
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
        return table_of(table.describe()["TableDescription"], resource)

    def _table(self, name: str) -> Any:
        """Return moto's object of a table, which is twenty times faster than a request to moto."""
        return dynamodb_backends[self.account][self.region].get_table(name)

    def _keep(self, properties: Json, before: Json) -> None:
        """Apply changed settings to a table. As in DynamoDB, it is an error to enable time to live twice."""
        moto, name = dynamodb_backends[self.account][self.region], properties["TableName"]
        lifetime, backups = "TimeToLiveSpecification", "PointInTimeRecoverySpecification"
        if properties.get(lifetime) != before.get(lifetime):
            if self._table(name).ttl["TimeToLiveStatus"] == "ENABLED":
                raise Failed("TimeToLive is already enabled")
            moto.update_time_to_live(name, properties[lifetime])
        if properties.get(backups) != before.get(backups):
            moto.update_continuous_backups(name, properties[backups])

    def _put_dashboard(self, name: str, known: Made | None, resource: Json) -> Made:
        """Create a dashboard. Names are unique in the account, so a changed name creates another dashboard."""
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
        """Delete a resource, unless it can't be deleted, like a protected table."""
        made = stack.made[logical]
        if made.resource["Type"] == TABLE:
            tables = self.client("dynamodb")
            if tables.describe_table(TableName=made.ref)["Table"]["DeletionProtectionEnabled"]:
                return
            tables.delete_table(TableName=made.ref)
        elif made.resource["Type"] == ROLE:
            iam = self.client("iam")
            with suppress(iam.exceptions.NoSuchEntityException):  # The role may have been deleted by hand.
                for policy in iam.list_role_policies(RoleName=made.ref)["PolicyNames"]:
                    iam.delete_role_policy(RoleName=made.ref, PolicyName=policy)
                iam.delete_role(RoleName=made.ref)
        elif made.resource["Type"] == LOGS:
            logs = self.client("logs")
            with suppress(logs.exceptions.ResourceNotFoundException):  # The log group may have been deleted by hand.
                logs.delete_log_group(logGroupName=made.ref)
        elif made.resource["Type"] == TOPIC:
            self.client("sns").delete_topic(TopicArn=made.ref)
        elif made.resource["Type"] == ASSOCIATION:
            self.associated.pop(made.ref, None)
        elif made.resource["Type"] == ALARM:
            self.client("cloudwatch").delete_alarms(AlarmNames=[made.ref])
        elif made.resource["Type"] == DASHBOARD:
            self.dashboards.discard(made.ref)
            # The dashboard may have been deleted by hand.
            with suppress(self.client("cloudwatch").exceptions.ResourceNotFound):
                self.client("cloudwatch").delete_dashboards(DashboardNames=[made.ref])
        self.done.append(("Remove", made.resource["Type"], logical))
        del stack.made[logical]

    def _resolved(self, stack: Stack, resource: Json) -> Json:
        resolved: Json = self._value(stack, deepcopy(resource))
        return resolved

    def _holds(self, stack: Stack, condition: Any) -> bool:
        return bool(self._value(stack, condition))

    def _value(self, stack: Stack, given: Any) -> Any:
        """Return a value in which all intrinsic functions are resolved."""
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
