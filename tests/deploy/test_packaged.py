"""`make package` writes a SAM stack with service and data, for the operator's own pipeline."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import data, gateway, subscription
from infra.deploy import gateway_stage, package

pytestmark = pytest.mark.xdist_group("deploy")
STAGE = "prod"
LOGS = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"


@pytest.fixture(scope="module")
def template(packaged: Path) -> dict[str, Any]:
    """The packaged template."""
    loaded: dict[str, Any] = yaml.safe_load((packaged / "sam.yaml").read_text())
    return loaded


def test_package_has_the_template_and_the_code_only(packaged: Path) -> None:
    """The package has a template and a zip file, and no other file."""
    assert {path.name for path in packaged.iterdir()} == {"sam.yaml", "deployment.zip"}


def test_stage_parameter_has_a_default(template: dict[str, Any]) -> None:
    """The default of the Stage parameter is the packaged stage, and the alarm email is a parameter."""
    assert template["Parameters"]["Stage"]["Default"] == STAGE
    assert template["Parameters"]["AlarmEmail"]["Default"] == ""


def test_template_has_service_and_data(template: dict[str, Any]) -> None:
    """The template has the API, every function and all resources of the data stack."""
    kinds = [resource["Type"] for resource in template["Resources"].values()]
    assert template["Transform"] == "AWS::Serverless-2016-10-31"
    assert kinds.count("AWS::Serverless::Api") == 1
    assert kinds.count("AWS::Serverless::Function") == len(package.FUNCTIONS)
    assert kinds.count("AWS::DynamoDB::Table") == len(data.tables(STAGE))
    assert set(data.template()["Resources"]) <= set(template["Resources"])


def test_tables_are_retained_and_protected(template: dict[str, Any]) -> None:
    """Every table has deletion protection and is retained when the stack is deleted."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
            assert resource["Properties"]["DeletionProtectionEnabled"] == {"Fn::If": ["IsProtected", True, False]}
    assert template["Parameters"]["Protection"]["Default"] == "on"


def test_function_names_match_logs_alarms_and_policies(template: dict[str, Any]) -> None:
    """Functions have the names that log groups, alarms and policies refer to, instead of names that SAM generates."""
    resources = template["Resources"]
    names = {resource["Properties"].get("FunctionName") for resource in _of(template, "AWS::Serverless::Function")}
    assert names == {f"latchkey-{STAGE}{end}" for end in package.FUNCTIONS.values()}
    groups = {resource["Properties"]["LogGroupName"]["Fn::Sub"] for resource in _of(template, "AWS::Logs::LogGroup")}
    assert {f"/aws/lambda/{name}" for name in names} <= {group.replace("${Stage}", STAGE) for group in groups}
    for logical, end in package.FUNCTIONS.items():
        name = f"latchkey-${{Stage}}{end}"
        (policy,) = (
            resource
            for resource in _of(template, "AWS::IAM::Role")
            if resource is resources[resources[logical]["Properties"]["Role"]["Fn::GetAtt"][0]]
        )
        assert f":log-group:/aws/lambda/{name}:*" in str(policy["Properties"]["Policies"])


def test_stream_function_reads_the_stream_of_this_stack(template: dict[str, Any]) -> None:
    """The stream function reads INSERT records of the events table in the same stack."""
    (source,) = template["Resources"]["Stream"]["Properties"]["Events"].values()
    assert source["Properties"]["Stream"] == {"Fn::GetAtt": ["Events", "StreamArn"]}
    assert source["Properties"]["FilterCriteria"] == {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}


def test_job_function_reads_the_stream_of_this_stack(template: dict[str, Any]) -> None:
    """The function of jobs reads the stream of the jobs table in the same stack, with the options of a deployment."""
    (source,) = template["Resources"]["Job"]["Properties"]["Events"].values()
    assert source["Properties"]["Stream"] == {"Fn::GetAtt": ["Jobs", "StreamArn"]}
    assert source["Properties"].items() >= subscription.OPTIONS["job"].items()


def test_packaged_document_has_gateway_responses_and_authorizer(template: dict[str, Any]) -> None:
    """The API document has the same gateway responses and authorizer as the deployed one."""
    (api,) = _of(template, "AWS::Serverless::Api")
    document = api["Properties"]["DefinitionBody"]
    assert document[gateway.EXTENSION] == gateway.as_extension()
    (definition,) = document["securityDefinitions"].values()
    assert definition[gateway.AUTHORIZER_EXTENSION]["authorizerResultTtlInSeconds"] == 300


def test_gateway_stage_is_throttled_logged_and_traced(template: dict[str, Any]) -> None:
    """The stage has the throttling, logs and traces that `make deploy` sets, and SAM adds no second stage."""
    (api,) = _of(template, "AWS::Serverless::Api")
    (bounds,) = api["Properties"]["MethodSettings"]
    assert (bounds["ResourcePath"], bounds["HttpMethod"], bounds["MetricsEnabled"]) == ("/*", "*", False)
    limits = bounds["ThrottlingRateLimit"], bounds["ThrottlingBurstLimit"]
    assert limits == (gateway_stage.RATE_LIMIT, gateway_stage.BURST_LIMIT)
    logs = api["Properties"]["AccessLogSetting"]
    assert logs == {"DestinationArn": {"Fn::Sub": f"{LOGS}${{AccessLogs}}"}, "Format": gateway_stage.ACCESS_LOG}
    assert api["Properties"]["TracingEnabled"]
    assert api["Properties"]["OpenApiVersion"] == "2.0"


def _of(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource for resource in template["Resources"].values() if resource["Type"] == kind]


def test_cfn_lint_and_the_sam_translator_accept_the_template(packaged: Path) -> None:
    """cfn-lint, which expands the template by AWS's SAM translator, reports no error, warning or remark."""
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "--include-checks", "I", "--regions", "us-east-1", "--", str(packaged / "sam.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
