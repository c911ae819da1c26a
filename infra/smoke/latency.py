"""Measure percentiles of response times from this machine: for warm functions and, with COLD=1, for cold starts.

Measuring cold starts modifies the deployment: it changes the function's environment and restores it at the end.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from infra.browser import connection_to
from infra.smoke import rights
from infra.smoke.run import PACE_S, Failed, Run, undisturbed
from infra.smoke.throwaway import Account

PATH = "/v1/limits"
WARM, COLD = 50, 3
PERCENTILES = (50, 90, 99)
MARK = "SMOKED_AT"
COLD_CHECK = "cold latency"


def check(run: Run, account: Account) -> None:
    """Measure and record the response times; none of them is treated as a failure."""
    run.outcomes.seen("warm latency, sequential requests", by_percentile(_warm(run, account.key)))
    measure_cold(run, account.key)


def measure_cold(run: Run, key: str) -> None:
    """Measure cold starts if COLD=1 is set."""
    if not run.target.is_cold_wanted:
        run.outcomes.left_out(COLD_CHECK, "it requires COLD=1, which changes the function's configuration")
    elif not run.target.is_deployed:
        run.outcomes.left_out(COLD_CHECK, "it requires a deployed stage: STAGE=")
    else:
        with run.record_errors(COLD_CHECK):
            run.outcomes.seen(COLD_CHECK, f"the API's function: {by_percentile(_cold(run, key))}")


def by_percentile(took_ms: list[float]) -> str:
    """Return the percentiles (nearest rank) and the number of measurements as a text."""
    ordered = sorted(took_ms)
    ranked = (f"p{each} {ordered[ceil(each / 100 * len(ordered)) - 1]:.0f} ms" for each in PERCENTILES)
    return f"{', '.join(ranked)} (n = {len(ordered)})"


def _warm(run: Run, key: str) -> list[float]:
    connection, took_ms = connection_to(run.target.url), []
    path, headers = urlsplit(run.target.url).path + PATH, {"Authorization": f"Bearer {key}"}
    try:
        for _ in range(WARM):
            started_s = time.perf_counter()
            connection.request("GET", path, headers=headers)
            connection.getresponse().read()
            took_ms.append((time.perf_counter() - started_s) * 1000)
            time.sleep(PACE_S)
    finally:
        connection.close()
    return took_ms[1:]  # omit the first request, which opened the connection


def _cold(run: Run, key: str) -> list[float]:
    took_ms = []
    with restore_environment(f"latchkey-{run.target.stage}") as force_cold_start:
        for number in range(COLD):
            force_cold_start(str(number))
            started_s = time.perf_counter()
            run.call("GET", PATH, key)
            took_ms.append((time.perf_counter() - started_s) * 1000)
    return took_ms


@contextmanager
def restore_environment(function: str) -> Iterator[Any]:
    """Yield a function that forces a cold start; at the end, restore the Lambda function's environment."""
    import boto3

    client = boto3.client("lambda")
    before = client.get_function_configuration(FunctionName=function).get("Environment", {}).get("Variables", {})

    def put(variables: dict[str, str]) -> None:
        client.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})
        client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
        client.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})

    try:
        yield lambda mark: put({**before, MARK: mark})
    finally:
        with undisturbed():
            _restore(lambda: put(before))


def _restore(put: Callable[[], None]) -> None:
    """Restore the environment. Raises AWS's error if a permission is missing, and Failed for any other AWS error."""
    try:
        put()
    except (ClientError, BotoCoreError) as error:
        if rights.missing(error):
            raise
        raise Failed(f"{MARK} may still be in the function's environment; `make deploy` removes it: {error}") from error
