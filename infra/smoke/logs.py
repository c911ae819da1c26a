"""Check that CloudWatch Logs contains log lines of this run and X-Ray the trace. Both arrive after some seconds."""

import time
from collections.abc import Callable

from infra.smoke import rights
from infra.smoke.run import Run
from infra.smoke.throwaway import Account

LOG = "the function's log has a line of this run"
ACCESS_LOG = "the access log has a line of this run"
TRACE = "X-Ray has a trace of this run"
LOOKS_EVERY_S = 2
NO_REQUEST = "the function handled no request of this run"
OTHER_ID = "lines of the run's account, but none with the x-amzn-RequestId of the response"


def send_traced(run: Run, account: Account) -> None:
    """Send a request with sampled tracing. It is sent early in the run, since its trace takes time to arrive."""
    if run.target.is_deployed:
        run.is_traced = True
        run.call("GET", "/v1/limits", account.key, {"X-Amzn-Trace-Id": f"Root={run.trace_id};Sampled=1"})


def check(run: Run) -> None:
    """Poll for the log lines and the trace until they arrive or the timeout expires."""
    until_s = time.monotonic() + run.arrives_within_s
    if run.request_ids:
        with rights.record_errors(run.outcomes, LOG):
            _look_in_log(run, until_s)
        with rights.record_errors(run.outcomes, ACCESS_LOG):
            _look_in_access_log(run, until_s)
    else:
        run.outcomes.left_out(LOG, NO_REQUEST)
        run.outcomes.left_out(ACCESS_LOG, NO_REQUEST)
    if run.is_traced:
        with rights.record_errors(run.outcomes, TRACE):
            _look_in_traces(run, until_s)
    else:
        run.outcomes.left_out(TRACE, NO_REQUEST)


def _look_in_log(run: Run, until_s: float) -> None:
    group = f"/aws/lambda/latchkey-{run.target.stage}"
    is_there = _is_there(lambda: _has_line(run, group, run.request_ids[0]), until_s)
    has_others = not is_there and bool(run.account_id) and _has_line(run, group, run.account_id)
    run.outcomes.expect(LOG, is_there, expected="a line", got=OTHER_ID if has_others else _none(run))


def _look_in_access_log(run: Run, until_s: float) -> None:
    group = _access_log(run.target.stage)
    if not group:
        run.outcomes.left_out(ACCESS_LOG, "API Gateway writes none: it needs a role (docs/deploying.md)")
        return
    is_there = _is_there(lambda: _has_line(run, group, run.request_ids[0]), until_s)
    run.outcomes.expect(ACCESS_LOG, is_there, expected="a line", got=_none(run))


def _look_in_traces(run: Run, until_s: float) -> None:
    import boto3

    client = boto3.client("xray")
    is_there = _is_there(lambda: bool(client.batch_get_traces(TraceIds=[run.trace_id])["Traces"]), until_s)
    run.outcomes.expect(TRACE, is_there, expected="a trace", got=_none(run))


def _has_line(run: Run, group: str, text: str) -> bool:
    """Return whether a log group has a line with this text from the time of this run."""
    import boto3

    since_ms = int(run.started_s * 1000) - 60_000
    pages = boto3.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(logGroupName=group, startTime=since_ms, filterPattern=f'"{text}"')
    return any(page["events"] for page in found)


def _access_log(stage: str) -> str:
    """Return the log group of API Gateway's access log; "" if the stage has no access log."""
    import boto3

    from infra import configuration, deployed

    api = deployed.api_of(stage)
    if api is None:
        return ""
    asked = {"restApiId": api["rest_api_id"], "stageName": configuration.gateway_stage(stage)}
    arn: str = boto3.client("apigateway").get_stage(**asked).get("accessLogSettings", {}).get("destinationArn", "")
    return arn.rpartition(":log-group:")[2].removesuffix(":*")


def _is_there(look: Callable[[], bool], until_s: float) -> bool:
    while not (found := look()) and time.monotonic() < until_s:
        time.sleep(LOOKS_EVERY_S)
    return found


def _none(run: Run) -> str:
    return f"none in {run.arrives_within_s:.0f} s"
