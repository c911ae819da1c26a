"""The background functions of a deployment in a separate process, which a test may kill.

The clock of the process runs 30 times as fast as real time, so a minute takes two seconds.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.engine.fleet import STAGE
from tests.support.harness import stage_key_file
from tests.support.threaded_server import ENGINE_TIMEOUT_S
from tests.support.webhook_receiver import PUBLIC_URL

ROOT = Path(__file__).parents[2]
SPEED = 30
"""Seconds of the process's clock per real second."""


def clock_from(start_ms: int, began: float) -> Callable[[], int]:
    """Return a clock that starts at `start_ms` when the monotonic clock is at `began`."""
    return lambda: start_ms + round((time.monotonic() - began) * 1000 * SPEED)


def start(url: str, start_ms: int, began: float) -> "subprocess.Popen[bytes]":
    """Start a process."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": url,
        "LATCHKEY_STAGE": STAGE,
        "LATCHKEY_PUBLIC_URL": PUBLIC_URL,
        "LATCHKEY_STAGE_KEY_FILE": stage_key_file(),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.engine.background_process", str(start_ms), repr(began)]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)


def main() -> None:
    """Run the background functions until the process is killed."""
    from chalicelib.core import clock
    from chalicelib.core.dynamodb import client as dynamodb
    from infra import background

    dynamodb.READ_TIMEOUT_S = ENGINE_TIMEOUT_S
    with clock.use_wall_clock(clock_from(int(sys.argv[1]), float(sys.argv[2]))):
        background.start().wait()


if __name__ == "__main__":
    main()
