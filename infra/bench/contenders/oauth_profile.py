"""Profile the CPU time of the token requests of `oauth_latchkey` by sampling the stack every few ms of CPU time.

A sample is attributed to the part in PARTS whose code was running or had called the running library or kernel code.
The same requests are then repeated with the recorded database responses, which return immediately. The difference in
CPU time is the cost of waiting, because a process that has waited finds its CPU caches cold.
"""

import itertools
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from unittest.mock import patch

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.connection_pool import ConnectionPool
from chalicelib.core.dynamodb.http_response import HttpResponse
from infra.bench import latchkey
from infra.bench.contender import Measurement, Pace, measure, run_sequentially, serve_runs
from infra.bench.contenders.oauth_latchkey import OPERATIONS, create_clients, send

PARTS = (
    ("the database: sockets", ("core/dynamodb/connection_pool.py", "core/dynamodb/http_response.py")),
    ("the database: signatures", ("core/dynamodb/sigv4.py",)),
    (
        "the database: JSON, retries, counting",
        ("core/dynamodb/codec.py", "core/dynamodb/client.py", "core/dynamodb/tracing.py"),
    ),
    ("conversion of items to models", ("pynamodb/", "core/dynamodb/models.py")),
    (
        "the grant's checks",
        ("oauth/grant_types/", "oauth/pkce.py", "oauth/token_endpoint.py", "oauth/token_request.py"),
    ),
    ("the admission", ("chalicelib/limits/",)),
    ("the log line", ("core/telemetry.py",)),
    (
        "secrets: generation, hashing, encryption",
        ("core/secrets.py", "core/randomness.py", "oauth/refresh_replay.py", "core/ids.py"),
    ),
    ("OAuth and credential logic", ("chalicelib/oauth/", "chalicelib/credentials/")),
    ("Chalice and the edge", ("chalice/", "chalicelib/api/")),
)
ELSEWHERE = "other"
EVERY_S = 0.001
"""The requested sampling interval; Linux checks timers only every 1 to 10 ms."""


def main() -> None:
    """Profile the operation that the argument selects."""
    with latchkey.ready() as calls:
        operation = OPERATIONS[sys.argv[1]](itertools.cycle(create_clients()))

        def run(count: int, _parallel: int) -> Measurement:
            events = [operation.event() for _ in range(count)]
            responses: list[HttpResponse] = []

            def work() -> Pace:
                return run_sequentially(lambda event: bool(send(event, operation.expected)), events)

            with sample_stack() as parts, _patch_send(_record(responses)):
                measurement = measure(calls, work)
            with _patch_send(_replay(responses)):
                without_waiting = measure(calls, work)
            return measurement | {"profile": dict(parts), "cpu_at_once_ns": without_waiting["cpu_ns"]}

        serve_runs(run)


Send = Callable[[ConnectionPool, bytes], HttpResponse]


@contextmanager
def _patch_send(replacement: Send) -> Iterator[None]:
    """Use `replacement` for every database call in a `with` block."""
    with patch.object(ConnectionPool, "send", replacement):
        dynamodb.reset_connections()
        yield
    dynamodb.reset_connections()


def _record(responses: list[HttpResponse]) -> Send:
    original = ConnectionPool.send

    def record(connections: ConnectionPool, request: bytes) -> HttpResponse:
        responses.append(original(connections, request))
        return responses[-1]

    return record


def _replay(responses: Sequence[HttpResponse]) -> Send:
    remaining = iter(responses)
    return lambda _connections, _request: next(remaining)


@contextmanager
def sample_stack() -> Iterator[Counter[str]]:
    """Sample the stack in a `with` block, and count the samples of each part."""
    parts: Counter[str] = Counter()

    def count(_signal: int, frame: FrameType | None) -> None:
        parts[_part(frame)] += 1

    before = signal.signal(signal.SIGPROF, count)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        yield parts
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _part(frame: FrameType | None) -> str:
    while frame is not None:
        file = frame.f_code.co_filename
        for part, files in PARTS:
            if any(each in file for each in files):
                return part
        frame = frame.f_back
    return ELSEWHERE


if __name__ == "__main__":
    main()
