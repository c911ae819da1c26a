"""The main loop of a contender, the process that runs and times the operations of one measured program.

The protocol is JSON lines. The process first prints `{"ready": true}`. For each command `{"run": N, "parallel": K}` on
standard input it prints one result with `operations`, `wall_ns`, `cpu_ns`, `latency_ns`, `calls` and `refused`. It
exits at the end of its input. This module imports only the standard library, because the environments of the compared
libraries lack Latchkey's dependencies. `serve.mjs` is its counterpart for Node.js.
"""

import asyncio
import contextvars
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TextIO

Measurement = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """The operations of one contender."""

    operate: Callable[[Any], bool]
    """Runs one operation on one input; returns False when the operation was rejected."""
    prepare: Callable[[int], Sequence[Any]] = range
    """Creates the inputs of the operations before the measured time starts."""
    calls: Callable[[], int] | None = None
    """Returns the number of database calls since the process started; None if they aren't counted."""
    works_here: bool = True
    """Whether this process does the measured work; if another process does it, no CPU time is reported."""


@dataclass(frozen=True, slots=True)
class AsyncWork:
    """The operations of an asyncio contender."""

    operate: Callable[[Any], Awaitable[bool]]
    calls: Callable[[], int] | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """The duration of each operation, and the number of rejected operations."""

    latency_ns: list[int]
    refused: int


def serve(work: Work) -> None:
    """Execute commands from standard input until it is closed, with parallel operations in threads."""

    def run(count: int, parallel: int) -> Measurement:
        inputs = work.prepare(count)
        measurement = measure(work.calls, lambda: _run_in_threads(work.operate, inputs, parallel))
        return measurement if work.works_here else measurement | {"cpu_ns": None}

    serve_runs(run)


def serve_async(runner: asyncio.Runner, work: AsyncWork) -> None:
    """Execute commands from standard input until it is closed, with parallel operations in asyncio tasks."""

    def run(count: int, parallel: int) -> Measurement:
        return measure(work.calls, lambda: runner.run(_run_in_tasks(work.operate, range(count), parallel)))

    serve_runs(run)


def serve_runs(run: Callable[[int, int], Measurement]) -> None:
    """Execute commands from standard input until it is closed, each by calling `run`."""
    results = _reserve_standard_output()
    _write(results, {"ready": True})
    for command in _read_commands():
        _write(results, run(int(command["run"]), int(command.get("parallel", 1))))


def run_sequentially(operate: Callable[[Any], bool], inputs: Sequence[Any]) -> Pace:
    """Run one operation for each input, one after another."""
    latency_ns, refused, now = list[int](), 0, time.perf_counter_ns
    for each in inputs:
        began = now()
        refused += not operate(each)
        latency_ns.append(now() - began)
    return Pace(latency_ns, refused)


def measure(calls: Callable[[], int] | None, work: Callable[[], Pace]) -> Measurement:
    """Run `work` and return its measurements; `calls` returns the number of database calls so far."""
    calls_before = calls() if calls else 0
    cpu_before, began = time.process_time_ns(), time.perf_counter_ns()
    pace = work()
    wall_ns, cpu_ns = time.perf_counter_ns() - began, time.process_time_ns() - cpu_before
    return {
        "operations": len(pace.latency_ns),
        "wall_ns": wall_ns,
        "cpu_ns": cpu_ns,
        "latency_ns": pace.latency_ns,
        "calls": calls() - calls_before if calls else None,
        "refused": pace.refused,
    }


def _run_in_threads(operate: Callable[[Any], bool], inputs: Sequence[Any], parallel: int) -> Pace:
    if parallel == 1:
        return run_sequentially(operate, inputs)
    with ThreadPoolExecutor(parallel) as threads:
        # Every thread runs in a copy of this context, so that the database calls of all threads are counted together.
        lanes = [
            threads.submit(contextvars.copy_context().run, run_sequentially, operate, inputs[lane::parallel])
            for lane in range(parallel)
        ]
        return _combine([lane.result() for lane in lanes])


async def _run_in_tasks(operate: Callable[[Any], Awaitable[bool]], inputs: Sequence[Any], parallel: int) -> Pace:
    async def run_lane(lane: Sequence[Any]) -> Pace:
        latency_ns, refused, now = list[int](), 0, time.perf_counter_ns
        for each in lane:
            began = now()
            refused += not await operate(each)
            latency_ns.append(now() - began)
        return Pace(latency_ns, refused)

    return _combine(await asyncio.gather(*(run_lane(inputs[number::parallel]) for number in range(parallel))))


def _combine(lanes: Sequence[Pace]) -> Pace:
    return Pace([took for lane in lanes for took in lane.latency_ns], sum(lane.refused for lane in lanes))


def _reserve_standard_output() -> TextIO:
    """Return standard output for the results, and discard everything that libraries print to it."""
    reserved = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    discarded = os.open(os.devnull, os.O_WRONLY)
    os.dup2(discarded, sys.stdout.fileno())
    os.close(discarded)
    return reserved


def _write(results: TextIO, result: Measurement) -> None:
    print(json.dumps(result), file=results, flush=True)


def _read_commands() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        command: dict[str, Any] = json.loads(line)
        yield command
