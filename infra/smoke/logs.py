"""What the run must have left in CloudWatch Logs and X-Ray. Both take some seconds to arrive."""

import time
from collections.abc import Callable
from typing import Any

from infra.smoke import rights
from infra.smoke.run import Run
from infra.smoke.throwaway import Account

LOG, ACCESS_LOG, TRACE = "the function's log has a line of this run", "the access log has it, too", "X-Ray has a trace"
WITHIN_S, LOOKS_EVERY_S = 40, 2


def send_traced(run: Run, account: Account) -> None:
    """Send one request that asks to be traced: early, so that its traces have time to arrive."""
    if run.target.is_deployed:
        run.call("GET", "/v1/limits", account.key, {"X-Amzn-Trace-Id": f"Root={run.trace_id};Sampled=1"})


def check(run: Run, within_s: float = WITHIN_S) -> None:
    """Look for the lines and the trace until they are there, or were waited for long enough."""
    import boto3

    stage = run.target.stage
    outcomes, until_s = run.outcomes, time.monotonic() + within_s
    with rights.asked(outcomes, LOG):
        _expect(run, LOG, _finds_line(boto3.client("logs"), f"/aws/lambda/latchkey-{stage}", run), until_s)
    with rights.asked(outcomes, ACCESS_LOG):
        group = _access_log(stage)
        if group:
            _expect(run, ACCESS_LOG, _finds_line(boto3.client("logs"), group, run), until_s)
        else:
            outcomes.left_out(ACCESS_LOG, "the gateway writes none (docs/deploying.md says what role it needs)")
    with rights.asked(outcomes, TRACE):
        client = boto3.client("xray")
        _expect(run, TRACE, lambda: bool(client.batch_get_traces(TraceIds=[run.trace_id])["Traces"]), until_s)


def _finds_line(logs: Any, group: str, run: Run) -> Callable[[], bool]:
    """Return what looks for a request of this run in a log group."""
    request_id = run.request_ids[0] if run.request_ids else ""
    began_ms = int(run.started_s * 1000) - 60_000

    def looks() -> bool:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=began_ms, filterPattern=f'"{request_id}"'
        )
        return bool(request_id) and any(page["events"] for page in pages)

    return looks


def _access_log(stage: str) -> str:
    """Return the log group that the gateway writes to; "" where it writes none."""
    import boto3

    from infra import deployed

    api = deployed.api_of(stage)
    if api is None:
        return ""
    asked = {"restApiId": api["rest_api_id"], "stageName": deployed.gateway_stage(stage)}
    arn: str = boto3.client("apigateway").get_stage(**asked).get("accessLogSettings", {}).get("destinationArn", "")
    return arn.rpartition(":log-group:")[2].removesuffix(":*")


def _expect(run: Run, check: str, is_there: Callable[[], bool], until_s: float) -> None:
    while not (found := is_there()) and time.monotonic() < until_s:
        time.sleep(LOOKS_EVERY_S)
    run.outcomes.expect(check, found, expected="it", got=f"none in {WITHIN_S} s")
