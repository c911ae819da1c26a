"""The commands of the guides are run in order, in an account with a deployed stage."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore import xform_name
from moto import settings as moto_settings

from infra import data, deployed, template
from infra.data_stack.stack import DataStack
from tests.deploy.cloud import ACCOUNT, Cloud, serving
from tests.deploy.cloud_requests import REGION
from tests.infra.commands import Call, blocks, call_of, section

pytestmark = pytest.mark.xdist_group("stack")
STAGE, TABLE, COPY = "prod", "latchkey-prod-accounts", "restored-accounts"
UNKNOWN_TO_MOTO = {
    ("lambda", "GetAccountSettings"),
    ("service-quotas", "GetServiceQuota"),
    ("service-quotas", "RequestServiceQuotaIncrease"),
    ("sesv2", "PutAccountDetails"),
    ("sesv2", "GetAccount"),
    ("iam", "AttachRolePolicy"),  # moto has no AWS managed policies.
}


@dataclass
class Owner:
    """An operator who runs the commands of a page, with values from the output of earlier commands."""

    cloud: Cloud
    filled_in: dict[str, str] = field(default_factory=dict)
    """Values from the output of earlier commands, by parameter name."""
    called: list[str] = field(default_factory=list)

    def follows(self, page: str, heading: str) -> None:
        """Run all `aws` commands of a section in their order."""
        for words in blocks(section(page, heading)):
            call = call_of(words) if words[0] == "aws" else None
            if call and (call.service, call.operation) not in UNKNOWN_TO_MOTO:
                self.called.append(call.waiter or call.operation)
                self._runs(call)

    def _runs(self, call: Call) -> None:
        client = self.cloud.client(call.service, call.region or REGION)
        parameters = {name: self.filled_in.get(name, value) for name, value in call.parameters.items()}
        if call.waiter:
            client.get_waiter(call.waiter).wait(**parameters)
            return
        answer = getattr(client, xform_name(call.operation))(**parameters)
        self.filled_in |= {name: answer[name] for name in ("CertificateArn",) if name in answer}
        self.filled_in |= {"queryId": answer["queryId"]} if "queryId" in answer else {}
        if "BackupDetails" in answer:
            self.filled_in["BackupArn"] = answer["BackupDetails"]["BackupArn"]


@pytest.fixture(scope="module")
def owner() -> Iterator[Owner]:
    """An operator with administrator rights and a deployed stage."""
    with serving() as cloud, pytest.MonkeyPatch.context() as environment:
        for name, value in cloud.environment.items():
            environment.setenv(name, value)
        # Waiting isn't needed; moto validates certificates after a minute by default, like ACM.
        environment.setattr(moto_settings, "ACM_VALIDATION_WAIT", -1)
        DataStack(STAGE, lambda _: None).put(template.composed())
        for end in deployed.FUNCTIONS.values():
            _make_function(cloud, f"latchkey-{STAGE}{end}")
        cloud.client("ssm").put_parameter(Name="/latchkey/prod/key", Value="secret", Type="SecureString")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}]}
        yield Owner(cloud, {"PolicyDocument": json.dumps(policy), "restApiId": _make_api(cloud)})


def _make_function(cloud: Cloud, name: str) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as package:
        package.writestr("app.py", "")
    cloud.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="app.app",
        Role=f"arn:aws:iam::{ACCOUNT}:role/latchkey-{STAGE}-{REGION}-api",
        Code={"ZipFile": code.getvalue()},
    )


def _make_api(cloud: Cloud) -> str:
    gateway = cloud.client("apigateway")
    api_id: str = gateway.create_rest_api(name="latchkey")["id"]
    (root,) = gateway.get_resources(restApiId=api_id)["items"]
    method = {"restApiId": api_id, "resourceId": root["id"], "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(**method, type="MOCK")
    return api_id


def test_restore_brings_back_items_and_settings(owner: Owner) -> None:
    """The documented restore restores a table's items and settings, and deletes the temporary copy of the table."""
    dynamodb, functions = owner.cloud.client("dynamodb"), owner.cloud.client("lambda")
    item = {"id": {"S": "acc_1"}, "listed": {"S": "listed"}, "email": {"S": "ada@example.com"}}
    dynamodb.put_item(TableName=TABLE, Item=item)
    before = _as_it_stands(dynamodb, TABLE)
    owner.called.clear()
    owner.follows("operating.md", "Restore")
    assert dynamodb.scan(TableName=TABLE)["Items"] == [item]
    assert _as_it_stands(dynamodb, TABLE) == before
    assert COPY not in owner.cloud.tables()
    assert _as_it_stands(dynamodb, "latchkey-prod-credentials")["expires_by"] == "dies_at"
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName="latchkey-prod")


def _as_it_stands(dynamodb: Any, name: str) -> dict[str, Any]:
    table = dynamodb.describe_table(TableName=name)["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return {
        "protected": table["DeletionProtectionEnabled"],
        "key": table["KeySchema"],
        "indexes": sorted(index["IndexName"] for index in table.get("GlobalSecondaryIndexes", ())),
        "recovery": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "expires_by": dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"].get("AttributeName"),
    }


def test_restore_stops_functions_and_sets_time_to_live(owner: Owner) -> None:
    """The documented restore stops every function, and names all tables that need time to live enabled."""
    told = section("operating.md", "Restore")
    stopped = [
        words[words.index("--function-name") + 1] for words in blocks(told) if "put-function-concurrency" in words
    ]
    assert set(stopped) == {f"latchkey-{STAGE}{end}" for end in deployed.FUNCTIONS.values()}
    tables = {name.removeprefix("latchkey-prod-"): each for name, each in data.tables(STAGE).items()}
    forever = {f"`{name}`" for name, each in tables.items() if "TimeToLiveSpecification" not in each}
    sentence = told.partition("(not ")[2].partition(")")[0].replace("\n", " ").replace(" and ", ", ")
    assert set(sentence.split(", ")) == forever
    assert [name for name in tables if f"`{name}`" not in told] == []


def test_guide_names_tables_without_recovery() -> None:
    """The guide lists exactly the tables without point-in-time recovery."""
    off = {
        f"`{name.removeprefix('latchkey-prod-')}`"
        for name, each in data.tables(STAGE).items()
        if not each["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    }
    (told,) = re.findall(r"^(.*) have no point-in-time recovery", section("operating.md", "Which tables"), re.MULTILINE)
    assert set(told.replace(" and ", ", ").split(", ")) == off


def test_restore_from_a_deleted_table_fails(owner: Owner) -> None:
    """A deleted table can't be the source of a restore, so the guide restores through a copy and the copy's backup."""
    dynamodb = owner.cloud.client("dynamodb")
    with pytest.raises(dynamodb.exceptions.ClientError, match="Source table not found"):
        dynamodb.restore_table_to_point_in_time(
            SourceTableName="latchkey-prod-gone", TargetTableName="copy", UseLatestRestorableTime=True
        )


def test_production_checklist_works(owner: Owner) -> None:
    """The commands of "From nothing to production" are accepted and set the log role, email and alarms."""
    owner.follows("deploying.md", "From nothing to production")
    role = owner.cloud.client("apigateway").get_account()["cloudwatchRoleArn"]
    (made,) = [
        each for each in owner.cloud.client("iam").list_roles()["Roles"] if each["RoleName"] == "api-gateway-logs"
    ]
    assert made["Arn"] == role.replace("123456789012", ACCOUNT)
    assert "apigateway.amazonaws.com" in json.dumps(made["AssumeRolePolicyDocument"])
    assert owner.cloud.client("sesv2").list_email_identities()["EmailIdentities"][0]["IdentityName"] == "example.com"
    (alarm,) = owner.cloud.client("cloudwatch").describe_alarms(AlarmNames=["latchkey-prod-faults"])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"


@pytest.mark.parametrize(
    ("page", "heading", "does"),
    [
        ("deploying.md", "Your own domain", "UpdateRestApi"),
        ("deploying.md", "The rights to deploy come to more", "CreatePolicy"),
        ("deploying.md", "From CI", "PutRolePolicy"),
        ("deploying.md", "Through your own pipeline", "PutParameter"),
        ("operating.md", "A customer gets 401", "StartQuery"),
        ("operating.md", "The stage's key", "GetParameter"),
        ("operating.md", "An alarm on what it costs", "CreateBudget"),
    ],
)
def test_other_runbooks_work(owner: Owner, page: str, heading: str, does: str) -> None:
    """All commands of the other runbooks, for which there is no separate test, are accepted in their order."""
    if heading == "Through your own pipeline":
        owner.cloud.client("ssm").delete_parameter(Name="/latchkey/prod/key")
    owner.called.clear()
    owner.follows(page, heading)
    assert does in owner.called
