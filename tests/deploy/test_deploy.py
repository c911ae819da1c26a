"""`make deploy` and `make status` with moto's server; `cloud.py` lists how it differs from AWS."""

import base64
from typing import Any

import pytest

from app import app
from chalicelib.api.authorizer import CACHED_S, IDENTITY
from infra import data, gateway
from infra.deploy import gateway_stage, package
from infra.routes import of_latchkey
from tests.api.routes import PUBLIC
from tests.deploy.cloud import Cloud
from tests.deploy.conftest import Deployment

pytestmark = [
    pytest.mark.xdist_group("deploy"),
]
METHODS = {"get", "post", "put", "patch", "delete", "options"}


def test_deploy_prints_the_url_and_the_next_step(deployment: Deployment) -> None:
    """`make deploy` prints account, region and URL, and as next steps the creation of an account and the smoke test."""
    (api,) = deployment.cloud.apis()
    url = f"https://{api}.execute-api.us-east-1.amazonaws.com/api/"
    said = deployment.said.splitlines()
    assert said[0] == "Deploying dev into account 123456789012, region us-east-1."
    assert f"Latchkey runs at {url}" in said
    assert said[-2].endswith(f"make account EMAIL=you@example.com ADMIN=1 STAGE=dev, then open {url}login")
    assert said[-1].endswith("make smoke STAGE=dev")


def test_deploy_creates_protected_tables(deployment: Deployment) -> None:
    """Every table has deletion protection, and the data stack has termination protection."""
    assert set(deployment.cloud.tables()) == set(data.tables("dev"))
    assert deployment.cloud.formation().stacks["latchkey-dev-data"].protected
    dynamodb = deployment.cloud.client("dynamodb")
    assert all(
        dynamodb.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"] for name in data.tables("dev")
    )


def test_deploy_creates_functions_with_separate_roles(deployment: Deployment) -> None:
    """Each function has a separate role, its configured timeout and memory, and runs on arm64."""
    functions = deployment.cloud.functions()
    assert set(functions) == {f"latchkey-dev{end}" for end in package.FUNCTIONS.values()}
    assert len({made["Role"] for made in functions.values()}) == len(functions)
    assert {made["Architectures"][0] for made in functions.values()} == {"arm64"}
    api, authorizer = functions["latchkey-dev"], functions["latchkey-dev-authorizer"]
    assert (api["MemorySize"], api["Timeout"]) == (512, 28)
    assert (authorizer["MemorySize"], authorizer["Timeout"]) == (256, 5)
    assert api["Architectures"] == authorizer["Architectures"] == ["arm64"]
    assert api["Role"] != authorizer["Role"]


def mapping_of(lambdas: Any, function: str) -> dict[str, Any]:
    """Return the only event source mapping of a function."""
    listed = lambdas.list_event_source_mappings()["EventSourceMappings"]
    (found,) = (each for each in listed if each["FunctionArn"].endswith(f":{function}"))
    return dict(found)


def test_functions_read_the_streams_of_their_tables(deployment: Deployment) -> None:
    """The functions `stream` and `job` are each subscribed to the stream of their table and to no other stream."""
    cloud = deployment.cloud
    streams = {
        table: cloud.client("dynamodb").describe_table(TableName=f"latchkey-dev-{table}")["Table"]["LatestStreamArn"]
        for table in ("events", "jobs")
    }
    mappings = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert {(each["EventSourceArn"], each["FunctionArn"].rpartition(":")[2]) for each in mappings} == {
        (streams["events"], "latchkey-dev-stream"),
        (streams["jobs"], "latchkey-dev-job"),
    }
    assert len(mappings) == 2


def test_jobs_are_worked_on_in_parallel_and_retried_twice(deployment: Deployment) -> None:
    """The function `job` is invoked with one new or changed job, ten times at once in each shard, and retried twice."""
    lambdas = deployment.cloud.client("lambda")
    mapping = mapping_of(lambdas, "latchkey-dev-job")
    assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": '{"eventName":["INSERT","MODIFY"]}'}]}
    assert (mapping["BatchSize"], mapping["ParallelizationFactor"], mapping["MaximumRetryAttempts"]) == (1, 10, 2)


def test_stream_function_is_invoked_for_inserts_only(deployment: Deployment) -> None:
    """Only INSERT records invoke the stream function; a deployment restores a filter that was removed."""
    lambdas = deployment.cloud.client("lambda")
    mapping = mapping_of(lambdas, "latchkey-dev-stream")
    assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], FilterCriteria={"Filters": []})
    deployment.checkout.succeeds("deploy", "dev")
    again = mapping_of(lambdas, "latchkey-dev-stream")
    assert (again["UUID"], again["FilterCriteria"]) == (mapping["UUID"], mapping["FilterCriteria"])


def test_root_key_is_kept_by_a_second_deployment(deployment: Deployment) -> None:
    """A second deployment keeps the root key, from which all webhook secrets are derived."""
    ssm = deployment.cloud.client("ssm")
    made = ssm.get_parameter(Name="/latchkey/dev/key", WithDecryption=True)["Parameter"]
    assert made["Type"] == "SecureString"
    assert len(base64.b64decode(made["Value"])) == 32
    deployment.checkout.succeeds("deploy", "dev")
    again = ssm.get_parameter(Name="/latchkey/dev/key", WithDecryption=True)["Parameter"]
    assert (again["Value"], again["Version"]) == (made["Value"], 1)


def test_document_has_every_route_of_the_app(deployment: Deployment) -> None:
    """The API document has every route and method of the app, and a 404 for every other path."""
    paths = deployment.cloud.documents[0]["paths"]
    assert set(paths) == {*app.routes, "/{proxy+}"}
    for path, entries in app.routes.items():
        # Chalice adds OPTIONS for routes with CORS, and the document adds a catch-all method for pages.
        told = {method.upper() for method in paths[path]}
        assert set(entries) <= told, path
        assert told - set(entries) <= {"OPTIONS", gateway.ANY_METHOD.upper()}, path


def test_gateway_keeps_both_responses_of_an_unknown_path(deployment: Deployment) -> None:
    """API Gateway keeps both responses of an unknown path, because the document gives them different statuses: 404 and
    406.
    """
    gateways = deployment.cloud.client("apigateway")
    (api,) = deployment.cloud.apis()
    resources = gateways.get_resources(restApiId=api, limit=500)["items"]
    (anything,) = (each["id"] for each in resources if each["path"] == "/{proxy+}")
    integration = gateways.get_integration(restApiId=api, resourceId=anything, httpMethod="ANY")
    patterns = {status: each.get("selectionPattern") for status, each in integration["integrationResponses"].items()}
    assert patterns == {"404": None, "406": "406"}


def test_document_has_the_authorizer(deployment: Deployment) -> None:
    """Every route under /v1 except leak reports requires the authorizer, whose policies are cached for 300 s."""
    document = deployment.cloud.documents[0]
    (definition,) = document["securityDefinitions"].values()
    authorizer = definition[gateway.AUTHORIZER_EXTENSION]
    assert authorizer["authorizerResultTtlInSeconds"] == CACHED_S == 300
    assert authorizer["identityValidationExpression"] == IDENTITY
    assert ":latchkey-dev-authorizer/invocations" in authorizer["authorizerUri"]
    for path in of_latchkey():
        operations = document["paths"][path]
        for method in METHODS & set(operations) - {"options"}:
            asks = path.startswith("/v1/") and (method.upper(), path) != PUBLIC
            assert asks == ("security" in operations[method]), (method, path)


def test_document_has_the_gateway_responses(deployment: Deployment) -> None:
    """The document has the same gateway responses as the local gateway."""
    answers = deployment.cloud.documents[0][gateway.EXTENSION]
    assert answers == gateway.as_extension()
    assert answers["UNAUTHORIZED"]["statusCode"] == "401"
    assert "$context.authorizer.refusal" in answers["ACCESS_DENIED"]["responseTemplates"]["application/json"]


def test_stage_is_throttled_and_logged(deployment: Deployment) -> None:
    """The stage is throttled, has access logs without path and query, and no detailed metrics."""
    (api,) = deployment.cloud.apis()
    stage = deployment.cloud.client("apigateway").get_stage(restApiId=api, stageName="api")
    bounds = stage["methodSettings"]["*/*"]
    assert (bounds["throttlingRateLimit"], bounds["throttlingBurstLimit"]) == (
        gateway_stage.RATE_LIMIT,
        gateway_stage.BURST_LIMIT,
    )
    assert not bounds["metricsEnabled"]
    logs = stage["accessLogSettings"]
    assert logs["destinationArn"].endswith(":log-group:/latchkey/dev/access")
    assert "$context.path" not in logs["format"]


@pytest.fixture
def account(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The account of the deployment, as the account of this process's AWS calls."""
    for name, value in deployment.cloud.environment.items():
        monkeypatch.setenv(name, value)
    return deployment.cloud


def test_stage_is_throttled_when_the_account_cannot_log(
    account: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the account has no log role, the stage is still throttled, and a warning says that access logs are missing."""
    (api,) = account.apis()
    account.client("apigateway").update_stage(
        restApiId=api,
        stageName="api",
        patchOperations=[{"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "1"}],
    )
    monkeypatch.setattr(account, "has_log_role", False)
    gateway_stage.guard_stage("dev", {"rest_api_id": api})
    stage = account.client("apigateway").get_stage(restApiId=api, stageName="api")
    assert stage["methodSettings"]["*/*"]["throttlingRateLimit"] == gateway_stage.RATE_LIMIT
    assert "Warning: no access logs are written" in capsys.readouterr().out


def test_stage_is_deployed_when_the_account_limit_is_lower(
    account: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the account's limit is lower than the stage's throttling, a warning is printed and the stage isn't
    throttled.
    """
    (api,) = account.apis()
    monkeypatch.setattr(account, "rate_max", 1_000)
    gateway_stage.guard_stage("dev", {"rest_api_id": api})
    assert capsys.readouterr().out.count("Warning: the stage isn't bounded, since API Gateway refuses 2,000") == 1
    settings = account.client("apigateway").get_stage(restApiId=api, stageName="api")["methodSettings"]["*/*"]
    assert settings["metricsEnabled"] is False


def test_second_deployment_keeps_data_and_url(deployment: Deployment) -> None:
    """A second deployment doesn't change the data stack. It keeps the API, and therefore the URL, and the functions."""
    cloud = deployment.cloud
    before = cloud.apis(), set(cloud.functions()), cloud.tables()
    said = deployment.checkout.succeeds("deploy", "dev")
    assert "The data stack is up to date." in said
    assert (cloud.apis(), set(cloud.functions()), cloud.tables()) == before
    assert cloud.documents[-1][gateway.EXTENSION] == gateway.as_extension()


def test_chosen_options_are_kept(deployment: Deployment) -> None:
    """An alarm email and a log retention stay in effect until other values are passed."""
    deployment.checkout.succeeds("deploy", "dev", "--alarm-email", "ops@example.com", "--log-days", "90")
    assert "The data stack is up to date." in deployment.checkout.succeeds("deploy", "dev")
    sns, stack = deployment.cloud.client("sns"), deployment.cloud.formation().stacks["latchkey-dev-data"]
    assert [found["Endpoint"] for found in sns.list_subscriptions()["Subscriptions"]] == ["ops@example.com"]
    assert stack.parameters["LogDays"] == "90"


def test_status_shows_service_data_tables_and_alarms(deployment: Deployment) -> None:
    """`make status` prints lines about the service and the data stack, and one line for each table and alarm."""
    (api,) = deployment.cloud.apis()
    said = deployment.checkout.succeeds("status", "dev").splitlines()
    assert said[0] == "stage     dev, in account 123456789012, region us-east-1"
    assert said[1].startswith(f"service   https://{api}.execute-api.us-east-1.amazonaws.com/api/")
    assert said[2].startswith("data      latchkey-dev-data: ")
    assert said[-1].startswith("alarms to ")
    # The only item is the one with the stage's options, in the tickets table.
    assert {line for line in said if line.startswith("table ")} == {
        f"table     {name}: ACTIVE, about {int(name == 'latchkey-dev-tickets')} items" for name in data.tables("dev")
    }
    alarms = {line.split()[1] for line in said if line.startswith("alarm ")}
    assert {"faults:", "limiter:", "mail:"} <= alarms
    assert len(alarms) == len(data.alarms())


def test_failed_deployment_keeps_data_and_service(deployment: Deployment) -> None:
    """A deployment that fails leaves data and service unchanged, and its error says so."""
    cloud = deployment.cloud
    before = cloud.apis(), cloud.functions(), cloud.tables()
    cloud.refuses["PUT /2015-03-31/functions"] = [("AccessDeniedException", "Not allowed on purpose.")]
    done = deployment.checkout.run("deploy", "dev")
    assert done.status == 1
    assert "Not allowed on purpose." in done.error
    assert "chalice deploy failed" in done.error
    assert (
        "The data was not touched. A service that ran before still runs; some functions may be new already."
        in done.error
    )
    assert (cloud.apis(), cloud.functions(), cloud.tables()) == before


def test_status_of_a_missing_stage(deployment: Deployment) -> None:
    """For a stage that doesn't exist, `make status` fails and prints the command that deploys it."""
    done = deployment.checkout.run("status", "prod")
    assert (done.status, done.said) == (1, "")
    assert done.error == "Nothing of prod is in account 123456789012, region us-east-1: make deploy STAGE=prod.\n"
