"""Where the CPU of a token request goes: the requests of `oauth_latchkey`, and a look at the stack every few ms of CPU.

A sample belongs to the innermost frame of a part that is named here; what libraries do for it counts as its own, the
kernel's work on a socket included. Then the same requests again, with the database's answers as they came, but at once:
what is missing then is what waiting costs, since a process that has slept finds its caches cold.
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
from chalicelib.core.dynamodb.http_response import HttpResponse as HttpAnswer
from infra.bench import latchkey
from infra.bench.contender import Answer, Pace, measured, one_after_another, serve_runs
from infra.bench.contenders.oauth_latchkey import OPERATIONS, answered, clients_of_one_account

PARTS = (
    ("the database: sockets", ("core/dynamodb/connection_pool.py", "core/dynamodb/http_response.py")),
    ("the database: signatures", ("core/dynamodb/sigv4.py",)),
    (
        "the database: JSON, retries, counting",
        ("core/dynamodb/codec.py", "core/dynamodb/client.py", "core/dynamodb/tracing.py"),
    ),
    ("items read as models", ("pynamodb/", "core/dynamodb/models.py")),
    (
        "the grant's checks",
        ("oauth/grant_types/", "oauth/pkce.py", "oauth/token_endpoint.py", "oauth/token_request.py"),
    ),
    ("the admission", ("chalicelib/limits/",)),
    ("the log line", ("core/telemetry.py",)),
    (
        "secrets made, hashed, sealed",
        ("core/secrets.py", "core/randomness.py", "oauth/refresh_replay.py", "core/ids.py"),
    ),
    ("what is read and decided", ("chalicelib/oauth/", "chalicelib/credentials/")),
    ("Chalice and the edge", ("chalice/", "chalicelib/api/")),
)
ELSEWHERE = "elsewhere"
EVERY_S = 0.001
"""Linux looks at its timers when it ticks, which is every 1 to 10 ms."""


def main() -> None:
    """Serve requests of the kind that the argument names."""
    with latchkey.ready() as calls:
        operation = OPERATIONS[sys.argv[1]](itertools.cycle(clients_of_one_account()))

        def run(count: int, _parallel: int) -> Answer:
            events = [operation.event() for _ in range(count)]
            answers: list[HttpAnswer] = []

            def work() -> Pace:
                return one_after_another(lambda event: bool(answered(event, operation.says)), events)

            with sampled() as parts, _sending(_recorded(answers)):
                answer = measured(calls, work)
            with _sending(_replayed(answers)):
                at_once = measured(calls, work)
            return answer | {"profile": dict(parts), "cpu_at_once_ns": at_once["cpu_ns"]}

        serve_runs(run)


Send = Callable[[ConnectionPool, bytes], HttpAnswer]


@contextmanager
def _sending(send: Send) -> Iterator[None]:
    """Let `send` carry every call to the database in a `with` block."""
    with patch.object(ConnectionPool, "send", send):
        dynamodb.reset_connections()
        yield
    dynamodb.reset_connections()


def _recorded(answers: list[HttpAnswer]) -> Send:
    send = ConnectionPool.send

    def recorded(connections: ConnectionPool, request: bytes) -> HttpAnswer:
        answers.append(send(connections, request))
        return answers[-1]

    return recorded


def _replayed(answers: Sequence[HttpAnswer]) -> Send:
    again = iter(answers)
    return lambda _connections, _request: next(again)


@contextmanager
def sampled() -> Iterator[Counter[str]]:
    """Count in which part the CPU of a `with` block is spent, in samples."""
    parts: Counter[str] = Counter()

    def look(_signal: int, frame: FrameType | None) -> None:
        parts[_part(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
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
