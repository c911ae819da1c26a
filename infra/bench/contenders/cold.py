"""Cold starts of the function that the argument names: `authorizer`, `v1` or `minimal`.

Each operation is a fresh process that answers one event (see `cold_child.py`). Reported is what that process measured
of itself. Bytecode is cached, as in a package that was built for Lambda; the first round writes what is missing.
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
from infra.bench.contender import Answer, serve_runs

CHILD = Path(__file__).with_name("cold_child.py")


def main() -> None:
    """Serve cold starts."""
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

    def run(count: int, _parallel: int) -> Answer:
        started = [_started(function, event) for _ in range(count)]
        return {
            "operations": count,
            "wall_ns": sum(start["wall_ns"] for start in started),
            "cpu_ns": sum(start["cpu_ns"] for start in started),
            "latency_ns": [start["wall_ns"] for start in started],
            "calls": None,
            "refused": sum(not _is_good(start["answer"]) for start in started),
        }

    serve_runs(run)


def _started(function: str, event: latchkey.Event) -> Answer:
    # -P: only PYTHONPATH and the installed packages are searched, not the folder of this file.
    command = [sys.executable, "-P", str(CHILD), function]
    done = subprocess.run(command, input=json.dumps(event), capture_output=True, text=True, check=True)
    said: Answer = json.loads(done.stderr.splitlines()[-1])
    return said


def _is_good(answer: dict[str, Any]) -> bool:
    if "policyDocument" in answer:
        return bool(answer["policyDocument"]["Statement"][0]["Effect"] == "Allow")
    return bool(answer["statusCode"] == 200)


if __name__ == "__main__":
    main()
