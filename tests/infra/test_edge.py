"""The edge: its two functions, called with CloudFront's events, and its templates."""

import json
import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from chalice.app import Request

from chalicelib.api import client_address
from chalicelib.core import settings
from chalicelib.core.errors import RateLimited
from infra import template
from infra.edge import front, viewer_address

Event = dict[str, Any]
Headers = dict[str, list[dict[str, str]]]
RENAMED = "x-amzn-remapped-www-authenticate"
CHALLENGES = ('Bearer error="insufficient_scope", scope="read"', 'Basic realm="a, b"')
JSON = {"key": "Content-Type", "value": "application/json"}


def resources() -> dict[str, Any]:
    """Return the resources of the template for CloudFront."""
    made: dict[str, Any] = front.distribution()["Resources"]
    return made


def code() -> str:
    """Return the code of the edge function."""
    sent: str = resources()["Renames"]["Properties"]["Code"]["ZipFile"]
    return sent


@pytest.fixture
def rename() -> Callable[[Headers, str], Event]:
    """A function that calls the edge function with an origin response event."""
    defined: dict[str, Any] = {}
    exec(code(), defined)  # noqa: S102 - the code of the template

    def called(headers: Headers, status: str) -> Event:
        config = {
            "distributionDomainName": "d111111abcdef8.cloudfront.net",
            "distributionId": "EDFDVBD6EXAMPLE",
            "eventType": "origin-response",
            "requestId": "4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ==",
        }
        request = {
            "clientIp": "203.0.113.178",
            "headers": {},
            "method": "GET",
            "querystring": "",
            "uri": "/v1/users/me",
        }
        response = {"headers": deepcopy(headers), "status": status, "statusDescription": "Any"}
        returned: Event = defined["handler"](
            {"Records": [{"cf": {"config": config, "request": request, "response": response}}]}, None
        )
        assert (returned["status"], returned["statusDescription"]) == (status, "Any")
        return returned

    return called


@pytest.mark.parametrize("values", [CHALLENGES[:1], CHALLENGES])
@pytest.mark.parametrize("status", ["401", "403", "200"])
def test_remapped_challenge_is_renamed(rename: Callable[..., Event], values: tuple[str, ...], status: str) -> None:
    """Each remapped challenge is renamed to WWW-Authenticate, and all other headers stay unchanged."""
    kept: Headers = {"content-type": [JSON], "via": [{"key": "Via", "value": "1.1 gateway"}]}
    renamed = [{"key": "x-amzn-Remapped-WWW-Authenticate", "value": value} for value in values]
    headers = rename(kept | {RENAMED: renamed}, status)["headers"]
    assert headers == kept | {"www-authenticate": [{"key": "WWW-Authenticate", "value": value} for value in values]}


def test_challenge_of_api_gateway_is_kept(rename: Callable[..., Event]) -> None:
    """A challenge that API Gateway itself has sent under the right name is kept."""
    own: Headers = {"www-authenticate": [{"key": "WWW-Authenticate", "value": CHALLENGES[0]}]}
    assert rename(own, "401")["headers"] == own
    both = rename(own | {RENAMED: [{"key": RENAMED, "value": CHALLENGES[1]}]}, "401")["headers"]
    assert [each["value"] for each in both.pop("www-authenticate")] == list(CHALLENGES)
    assert both == {}


@pytest.mark.parametrize("headers", [{}, {"content-type": [JSON]}])
def test_response_without_a_challenge_is_unchanged(rename: Callable[..., Event], headers: Headers) -> None:
    """A response without a challenge, even without any header, is unchanged."""
    assert rename(headers, "500")["headers"] == headers


def test_edge_code_fits_the_template_and_names_its_version() -> None:
    """The code is within CloudFormation's 4,096 characters, and changed code gets a new version."""
    assert len(code()) < 4_096
    assert len(resources()["RenamesVersion"]["Properties"]["Description"]) == 64


@pytest.mark.skipif(shutil.which("node") is None, reason="runs the viewer's function, in JavaScript")
@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8:0:0:0:0:0:1", "2001:db8::8000"])
def test_viewer_address_replaces_the_clients_header(address: str) -> None:
    """The edge function replaces every client address that the request claims by the viewer's real address.

    The API counts requests by this address.
    """
    event = {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "viewer": {"ip": address},
        "request": {
            "method": "GET",
            "uri": "/v1/users/me",
            "headers": {
                "accept": {"value": "*/*"},
                "x-viewer-address": {"value": "192.0.2.1", "multiValue": [{"value": "192.0.2.1"}, {"value": "::1"}]},
            },
        },
    }
    written = resources()["ViewerAddress"]["Properties"]["FunctionCode"]
    run = f"{written}\nconsole.log(JSON.stringify(handler({json.dumps(event)})))"
    done = subprocess.run(["node", "-e", run], capture_output=True, text=True, check=True)
    headers = json.loads(done.stdout)["headers"]
    assert headers == {"accept": {"value": "*/*"}, "x-viewer-address": {"value": address}}
    with settings.override(settings.Settings(client_ip_header=viewer_address.HEADER)):
        assert client_address.network(client_address.source_ip(_request({"x-viewer-address": address}))).startswith(
            address[:9]
        )


def _request(headers: dict[str, str]) -> Request:
    """Return a request as API Gateway receives it from CloudFront."""
    return Request(
        {
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "requestContext": {
                "httpMethod": "GET",
                "resourcePath": "/v1/users/me",
                "identity": {"sourceIp": "130.176.0.1"},
            },
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "pathParameters": None,
            "body": None,
            "stageVariables": None,
            "isBase64Encoded": False,
        },
        None,
    )


def test_only_static_files_are_cached() -> None:
    """CloudFront caches only static files. Errors aren't cached, although ten seconds are CloudFront's default."""
    config = resources()["Distribution"]["Properties"]["DistributionConfig"]
    (static,) = config["CacheBehaviors"]
    assert static["PathPattern"] == "/static/*"
    assert "OriginRequestPolicyId" not in static
    assert config["DefaultCacheBehavior"]["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    errors = {each["ErrorCode"]: each["ErrorCachingMinTTL"] for each in config["CustomErrorResponses"]}
    assert errors == dict.fromkeys((400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504), 0)


def test_closed_api_accepts_only_requests_with_a_secret() -> None:
    """The web ACL accepts only requests that contain the exact secret, or during a rotation one of two secrets."""
    properties = template.read(front.ORIGIN)["Resources"]["WebAcl"]["Properties"]
    assert properties["DefaultAction"] == {"Block": {}}
    always, rotating = properties["Rules"]
    condition, besides, otherwise = rotating["Fn::If"]
    assert (condition, otherwise) == ("IsRotating", {"Ref": "AWS::NoValue"})
    matches = [rule["Statement"]["ByteMatchStatement"] for rule in (always, besides)]
    assert [match["SearchString"] for match in matches] == [{"Ref": "Secret"}, {"Ref": "AlsoAccepted"}]
    (origin,) = resources()["Distribution"]["Properties"]["DistributionConfig"]["Origins"]
    (header,) = origin["OriginCustomHeaders"]
    assert header["HeaderValue"] == {"Ref": "Secret"}
    for match in matches:
        assert match["PositionalConstraint"] == "EXACTLY"
        assert match["TextTransformations"] == [{"Priority": 0, "Type": "NONE"}]
        assert header["HeaderName"] == match["FieldToMatch"]["SingleHeader"]["Name"]


@pytest.mark.parametrize("file", [front.DISTRIBUTION, front.ORIGIN])
def test_secret_is_hidden_in_stacks_and_samples(file: Any) -> None:
    """The secret is a NoEcho parameter, and the web ACL stores no samples, because they would contain headers."""
    read = template.read(file)
    for secret in {"Secret", "AlsoAccepted"} & read["Parameters"].keys():
        assert read["Parameters"][secret]["NoEcho"] is True
        assert f'"{secret}"' not in json.dumps(read.get("Outputs", {}))
    acl = read["Resources"]["WebAcl"]["Properties"]
    rules = [rule["Fn::If"][1] if "Fn::If" in rule else rule for rule in acl["Rules"]]
    shown = [acl["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in rules)]
    assert {each["SampledRequestsEnabled"] for each in shown} == {False}


def test_web_acl_rejection_equals_the_apis() -> None:
    """A request that the web ACL blocks for its rate gets the API's own 429."""
    properties = resources()["WebAcl"]["Properties"]
    (body,), (rule,) = properties["CustomResponseBodies"].values(), properties["Rules"]
    custom = rule["Action"]["Block"]["CustomResponse"]
    same = RateLimited(300)
    assert custom["ResponseCode"] == same.status
    assert json.loads(body["Content"]) == {"error": same.error, "message": same.message}
    assert {"Name": "Retry-After", "Value": same.headers["Retry-After"]} in custom["ResponseHeaders"]
