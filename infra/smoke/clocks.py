"""Compare the clocks of this machine, API Gateway and the function with the Date header of DynamoDB."""

import email.utils
import json
import time
from datetime import datetime

from infra.smoke import rights
from infra.smoke.run import Run, expect
from infra.smoke.throwaway import Account

CHECK = "clock skew against DynamoDB"
APART_MAX_S = 3
"""The maximum clock skew between functions that the burst limit tolerates."""
ROUNDING_S = 1.5
"""The tolerance for the rounding of a Date header and of `created_at` to seconds."""


def check(run: Run, account: Account) -> None:
    """Read all clocks at about the same time, and compare them."""
    import boto3

    with rights.record_errors(run.outcomes, CHECK):
        date = boto3.client("dynamodb").list_tables(Limit=1)["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        if not date:
            run.outcomes.left_out(CHECK, "DynamoDB sent no Date header")
            return
        apart_here_s = time.time() - seconds(date)
        sent_s = time.time()
        response = expect(201, "POST /v1/keys", run.call("POST", "/v1/keys", account.key, body=_KEY))
        came_s = time.time()
        made = json.loads(response.body)
        run.hide(made["secret"])
        function_s = datetime.fromisoformat(made["created_at"]).timestamp()
        apart = {"this machine": apart_here_s, "the function": apart_here_s + outside(function_s, sent_s, came_s)}
        if date := response.header("Date"):
            apart["the gateway"] = apart_here_s + outside(seconds(date), sent_s, came_s)
        judge(run, apart)


def outside(moment_s: float, sent_s: float, came_s: float) -> float:
    """Return by how many seconds a time precedes the start of a request (negative) or follows its end; otherwise 0."""
    return moment_s - min(max(moment_s, sent_s), came_s)


def judge(run: Run, apart_s: dict[str, float]) -> None:
    """Check the skew of each clock against DynamoDB's clock."""
    for whose, seconds_apart in apart_s.items():
        most = APART_MAX_S + ROUNDING_S
        within, got = abs(seconds_apart) <= most, f"{seconds_apart:+.1f} s"
        run.outcomes.expect(f"{CHECK}: {whose}", within, expected=f"{APART_MAX_S} s at most", got=got)


def seconds(date: str) -> float:
    """Parse a Date header; return Unix time in seconds."""
    return email.utils.parsedate_to_datetime(date).timestamp()


_KEY = {"name": "Smoke", "scopes": ["read"]}
