"""Configure API Gateway's stage beyond what Chalice can: a rate limit for all callers together, and access logs."""

import json

import boto3
from botocore.exceptions import ClientError

from infra import configuration, deployed
from infra.deploy.output import say

RATE_LIMIT, BURST_LIMIT = 2_000, 4_000
"""API Gateway's limit in requests per second for all callers together. Its purpose is to bound the bill."""


NO_LOG_ROLE = "CloudWatch Logs role ARN must be set"
"""Part of API Gateway's error message if the account has no role for writing logs."""


ACCESS_LOG = json.dumps(
    {
        "request_id": "$context.requestId",
        "ip": "$context.identity.sourceIp",
        "time": "$context.requestTime",
        "method": "$context.httpMethod",
        "resource": "$context.resourcePath",
        "status": "$context.status",
        "length": "$context.responseLength",
        "latency_ms": "$context.responseLatency",
        "error": "$context.error.responseType",
    }
)
"""The format of an access log line. It omits the path and the query, which may contain an authorization code."""


def guard_stage(stage: str, api: dict[str, str]) -> None:
    """Set a request rate limit for all callers together, and access logs without paths and queries.

    Two calls set them. If API Gateway has no role for writing logs, it rejects only the call that sets the logs.
    """
    logs = deployed.outputs(stage).get("AccessLogs", "")
    bound = {
        "/*/*/throttling/rateLimit": str(RATE_LIMIT),
        "/*/*/throttling/burstLimit": str(BURST_LIMIT),
    }
    # Disable detailed metrics: they cost five metrics per route, and the alarms use the functions' metrics instead.
    unmeasured = {"/*/*/metrics/enabled": "false"}
    logged = {
        "/accessLogSettings/destinationArn": logs.removesuffix(":*"),
        "/accessLogSettings/format": ACCESS_LOG,
    }
    say("Setting throttling and access logs of the gateway …")
    try:
        _set_up(stage, api, bound | unmeasured)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BadRequestException" or "limit" not in str(error).lower():
            raise
        _set_up(stage, api, unmeasured)
        say(
            f"Warning: the stage isn't bounded, since API Gateway refuses {RATE_LIMIT:,} requests a second and"
            f" {BURST_LIMIT:,} at once ({error}). All callers together have what the account has in this region"
            " (docs/deploying.md, quotas): ask for more, then deploy again."
        )
    try:
        _set_up(stage, api, logged)
    except ClientError as error:
        if NO_LOG_ROLE not in str(error):
            raise
        say(
            "Warning: no access logs are written, since API Gateway has no role to write logs with. It needs one, once"
            " in each account and region (docs/deploying.md says how); then deploy again."
        )


def _set_up(stage: str, api: dict[str, str], chosen: dict[str, str]) -> None:
    patch = [{"op": "replace", "path": path, "value": value} for path, value in chosen.items()]
    boto3.client("apigateway").update_stage(
        restApiId=api["rest_api_id"], stageName=configuration.gateway_stage(stage), patchOperations=patch
    )
