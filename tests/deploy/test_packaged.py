"""`make package`: one SAM stack for a pipeline of the owner's own, service and data named alike."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import data, gateway
from infra.deploy import gateway_stage, package

pytestmark = pytest.mark.xdist_group("deploy")
STAGE = "prod"
LOGS = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"


@pytest.fixture(scope="module")
def template(packaged: Path) -> dict[str, Any]:
    """The stack."""
    loaded: dict[str, Any] = yaml.safe_load((packaged / "sam.yaml").read_text())
    return loaded


def test_package_is_a_stack_and_its_code(packaged: Path) -> None:
    """Nothing else is left there."""
    assert {path.name for path in packaged.iterdir()} == {"sam.yaml", "deployment.zip"}


def test_stage_has_its_default(template: dict[str, Any]) -> None:
    """There is but one stage that it can be, so nobody is asked; the address for alarms stays a parameter."""
    assert template["Parameters"]["Stage"]["Default"] == STAGE
    assert template["Parameters"]["AlarmEmail"]["Default"] == ""


def test_one_stack_has_service_and_data(template: dict[str, Any]) -> None:
    """The API, every function, and everything of the data stack."""
    kinds = [resource["Type"] for resource in template["Resources"].values()]
    assert template["Transform"] == "AWS::Serverless-2016-10-31"
    assert kinds.count("AWS::Serverless::Api") == 1
    assert kinds.count("AWS::Serverless::Function") == len(package.FUNCTIONS)
    assert kinds.count("AWS::DynamoDB::Table") == len(data.tables(STAGE))
    assert set(data.template()["Resources"]) <= set(template["Resources"])


def test_tables_outlive_the_stack(template: dict[str, Any]) -> None:
    """Merged or not, they are retained and protected."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
            assert resource["Properties"]["DeletionProtectionEnabled"] == {"Fn::If": ["IsProtected", True, False]}
    assert template["Parameters"]["Protection"]["Default"] == "on"


def test_functions_have_the_names_that_logs_alarms_and_policies_know(template: dict[str, Any]) -> None:
    """SAM would name them by itself: they could not write a log, and no alarm would watch them."""
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


def test_function_on_the_stream_reads_the_stream_of_this_stack(template: dict[str, Any]) -> None:
    """No other stack is needed; and it is invoked for new items alone."""
    (source,) = template["Resources"]["Stream"]["Properties"]["Events"].values()
    assert source["Properties"]["Stream"] == {"Fn::GetAtt": ["Events", "StreamArn"]}
    assert source["Properties"]["FilterCriteria"] == {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}


def test_document_of_the_package_is_that_of_deploy(template: dict[str, Any]) -> None:
    """With what the gateway answers by itself, and the authorizer's expression."""
    (api,) = _of(template, "AWS::Serverless::Api")
    document = api["Properties"]["DefinitionBody"]
    assert document[gateway.EXTENSION] == gateway.as_extension()
    (definition,) = document["securityDefinitions"].values()
    assert definition[gateway.AUTHORIZER_EXTENSION]["authorizerResultTtlInSeconds"] == 300


def test_stage_of_the_gateway_is_bounded_logged_and_traced(template: dict[str, Any]) -> None:
    """As `make deploy` sets it; and there is no second one, which SAM would make beside it of OpenAPI 3."""
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
