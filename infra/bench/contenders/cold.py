"""Measure cold starts of one Lambda function. The argument selects `authorizer`, `v1` or `minimal`.

Each operation starts a new process that handles one event (see `cold_child.py`) and measures its own time. Bytecode is
cached, as in a deployment package; the first warm-up round writes it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from chalicelib.core import settings
from chalicelib.limits.tiers import PRO
from infra.bench import latchkey
from infra.bench.contender import Measurement, serve_runs

CHILD = Path(__file__).with_name("cold_child.py")


def main() -> None:
    """Measure cold starts of the selected function."""
    function = sys.argv[1]
    os.environ["BENCH_TABLE"] = settings.current().table("accounts")
    with latchkey.ready():
        (caller,) = latchkey.callers(PRO, 1)
        events: dict[str, Callable[[str], latchkey.Event]] = {
            "authorizer": latchkey.authorizer_event,
            "v1": latchkey.limits_event,
            "minimal": partial(latchkey.proxy_event, "/called"),
        }
        event = events[function](caller.secret)

    def run(count: int, _parallel: int) -> Measurement:
        starts = [_start(function, event) for _ in range(count)]
        return {
            "operations": count,
            "wall_ns": sum(start["wall_ns"] for start in starts),
            "cpu_ns": sum(start["cpu_ns"] for start in starts),
            "latency_ns": [start["wall_ns"] for start in starts],
            "calls": None,
            "refused": sum(not _is_success(start["response"]) for start in starts),
        }

    serve_runs(run)


def _start(function: str, event: latchkey.Event) -> dict[str, Any]:
    # -P: don't import modules from the folder of the script.
    command = [sys.executable, "-P", str(CHILD), function]
    completed = subprocess.run(command, input=json.dumps(event), capture_output=True, text=True, check=True)
    start: dict[str, Any] = json.loads(completed.stderr.splitlines()[-1])
    return start


def _is_success(response: dict[str, Any]) -> bool:
    if "policyDocument" in response:
        return bool(response["policyDocument"]["Statement"][0]["Effect"] == "Allow")
    return bool(response["statusCode"] == 200)


if __name__ == "__main__":
    main()
