"""Four processes with eight threads each, which act like four Lambda functions.

Each process has its own app, gateway cache, other caches and clock. A thread sends one request at a time. Before each
request it waits until all threads are ready, so 32 requests are in flight at the same time on any machine.
"""

import multiprocessing
import os
import threading
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat, zip_longest
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from typing import Any

from tests.support.threaded_server import ENGINE_TIMEOUT_S

PROCESSES, THREADS = 4, 8
AT_ONCE = PROCESSES * THREADS
STAGE = "engine"
PUBLIC_URL = "https://api.example.com"
READY_WITHIN_S = 60
CLOCKS_AGREE: tuple[int, ...] = (0,) * PROCESSES
"""The clock skew of each process, in seconds, if all clocks agree."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request and the correct time at which to send it; without `secret` it has no Authorization header."""

    method: str
    target: str
    secret: str
    at_ms: int
    body: bytes = b""
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to a request of the fleet."""

    status: int
    headers: dict[str, str]
    body: Any


class FleetError(Exception):
    """Raised when a request in a process raised an exception."""


@dataclass
class Fleet:
    """The running processes, which share only the DynamoDB emulator."""

    size: int = PROCESSES
    processes: list[BaseProcess] = field(default_factory=list)
    pipes: list[Connection] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the processes."""
        context = multiprocessing.get_context("spawn")
        self.barrier = context.Barrier(self.size)
        for _ in range(self.size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_function, args=(theirs, self.barrier), daemon=True)
            process.start()
            theirs.close()
            self.processes.append(process)
            self.pipes.append(ours)

    def stop(self) -> None:
        """Stop the processes by closing their pipes."""
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            process.join(READY_WITHIN_S)
            process.close()

    def send(
        self, url: str, requests: Iterable[Request], clocks_off_s: Sequence[int] = CLOCKS_AGREE
    ) -> list[list[Reply]]:
        """Send `requests` to apps that use the DynamoDB emulator at `url`, one from each thread at a time; return the
        replies of each process.
        """
        dealt = list(requests)
        at_once = self.size * THREADS
        for number, pipe in enumerate(self.pipes):
            lanes = [dealt[number + self.size * thread :: at_once] for thread in range(THREADS)]
            rounds = -(-len(dealt) // at_once)
            pipe.send(_Task(url, lanes, rounds, clocks_off_s[number] * 1000))
        outcomes = [pipe.recv() for pipe in self.pipes]
        failures = [outcome for outcome in outcomes if isinstance(outcome, str)]
        if failures:
            self.barrier.reset()
            raise FleetError("\n".join(failures))
        return outcomes

    def everywhere(self, url: str, request: Request, clocks_off_s: Sequence[int] = CLOCKS_AGREE) -> list[Reply]:
        """Send one request from every thread of every process at the same time."""
        return flatten(self.send(url, [request] * AT_ONCE, clocks_off_s))


def flatten(replies: Iterable[Iterable[Reply]]) -> list[Reply]:
    """Return the replies of all processes in one list."""
    return [reply for of_process in replies for reply in of_process]


@dataclass(frozen=True, slots=True)
class _Task:
    url: str
    lanes: list[list[Request]]
    rounds: int
    clock_off_ms: int


def _function(pipe: Connection, barrier: Barrier) -> None:
    """Run one process, which serves the tasks from its pipe until the pipe is closed."""
    from app import app
    from chalicelib.core import clock, settings, telemetry
    from chalicelib.core.dynamodb import client as dynamodb
    from infra.local_gateway.gateway import Gateway
    from tests.support.harness import stage_key_file

    moment = threading.local()
    gateway = Gateway(app, domain="api.example.com")

    def lane(task: _Task, requests: list[Request], ready: threading.Barrier) -> list[Reply]:
        replies = []
        try:
            for _, request in zip_longest(range(task.rounds), requests):
                ready.wait(READY_WITHIN_S)
                if request is not None:
                    moment.now_ms = request.at_ms + task.clock_off_ms
                    replies.append(_respond(gateway, request))
        except BaseException:
            ready.abort()
            barrier.abort()
            raise
        return replies

    def wait_for_other_processes() -> None:
        barrier.wait(READY_WITHIN_S)

    def all_lanes(task: _Task) -> list[Reply]:
        # Only the last ready thread of each process waits for the other processes, so 4 threads are woken instead of
        # 32.
        ready = threading.Barrier(THREADS, action=wait_for_other_processes)
        return flatten(threads.map(lane, repeat(task), task.lanes, repeat(ready)))

    chosen = settings.Settings(stage=STAGE, public_url=PUBLIC_URL, stage_key_file=stage_key_file())
    with (
        open(os.devnull, "w") as nowhere,  # noqa: PTH123 - a device, no path of ours
        settings.override(chosen),
        clock.use_wall_clock(lambda: int(moment.now_ms)),
        ThreadPoolExecutor(THREADS) as threads,
    ):
        telemetry.write_to(nowhere)
        dynamodb.READ_TIMEOUT_S = ENGINE_TIMEOUT_S
        while (task := _next(pipe)) is not None:
            if os.environ.get("AWS_ENDPOINT_URL") != task.url:
                os.environ["AWS_ENDPOINT_URL"] = task.url
                dynamodb.reset_connections()
            try:
                pipe.send(all_lanes(task))
            except Exception:
                pipe.send(traceback.format_exc())


def _next(pipe: Connection) -> _Task | None:
    try:
        task: _Task = pipe.recv()
    except EOFError:
        return None
    return task


def _respond(gateway: Any, request: Request) -> Reply:
    bearer = {"Authorization": f"Bearer {request.secret}"} if request.secret else {}
    once = {"Idempotency-Key": request.idempotency_key} if request.idempotency_key else {}
    headers = {**bearer, **once, "Content-Type": "application/json"}
    response = gateway.handle(request.method, request.target, headers.items(), request.body)
    return Reply(response.status, dict(response.headers), response.json() if response.body else None)
