"""The working side of a measurement: a process that is set up does as many operations as it is told, and says how fast.

It speaks JSON lines. On standard output first `{"ready": true}`; then for each `{"run": N, "parallel": K}` of standard
input one answer with `operations`, `wall_ns`, `cpu_ns`, `latency_ns`, `calls` and `refused`. It ends when its input
does. Only the standard library is needed: peers run this in an environment of their own, Node.js in `serve.mjs`.
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

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """The operations of one contender."""

    operate: Callable[[Any], bool]
    """Runs one operation with one input; returns False when it was rejected."""
    prepare: Callable[[int], Sequence[Any]] = range
    """Creates the inputs of the operations, outside of the measured time."""
    calls: Callable[[], int] | None = None
    """Counts the database calls since the start of the process; None where it is unknown."""
    works_here: bool = True
    """Whether this process does the work itself; otherwise its CPU time isn't reported."""


@dataclass(frozen=True, slots=True)
class AsyncWork:
    """The operations of a contender with coroutines."""

    operate: Callable[[Any], Awaitable[bool]]
    calls: Callable[[], int] | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """The duration of each operation, and the number of rejected ones."""

    latency_ns: list[int]
    refused: int


def serve(work: Work) -> None:
    """Run the commands of standard input in threads until it ends."""

    def run(count: int, parallel: int) -> Answer:
        material = work.prepare(count)
        answer = measured(work.calls, lambda: _in_threads(work.operate, material, parallel))
        return answer if work.works_here else answer | {"cpu_ns": None}

    serve_runs(run)


def serve_async(runner: asyncio.Runner, work: AsyncWork) -> None:
    """Run the commands of standard input in asyncio tasks until it ends."""

    def run(count: int, parallel: int) -> Answer:
        return measured(work.calls, lambda: runner.run(_in_tasks(work.operate, range(count), parallel)))

    serve_runs(run)


def serve_runs(run: Callable[[int, int], Answer]) -> None:
    """Answer each line of standard input with the result of `run`."""
    answers = _standard_output_kept()
    _say(answers, {"ready": True})
    for asked in _lines():
        _say(answers, run(int(asked["run"]), int(asked.get("parallel", 1))))


def one_after_another(operate: Callable[[Any], bool], material: Sequence[Any]) -> Pace:
    """Run one operation with each input."""
    latency_ns, refused, now = list[int](), 0, time.perf_counter_ns
    for piece in material:
        began = now()
        refused += not operate(piece)
        latency_ns.append(now() - began)
    return Pace(latency_ns, refused)


def measured(calls: Callable[[], int] | None, work: Callable[[], Pace]) -> Answer:
    """Return the measurements of some work; `calls` returns the number of database calls so far."""
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


def _in_threads(operate: Callable[[Any], bool], material: Sequence[Any], parallel: int) -> Pace:
    if parallel == 1:
        return one_after_another(operate, material)
    with ThreadPoolExecutor(parallel) as threads:
        # Each in a copy of this thread's context, so that a call counter in it counts the calls of all threads.
        lanes = [
            threads.submit(contextvars.copy_context().run, one_after_another, operate, material[lane::parallel])
            for lane in range(parallel)
        ]
        return _together([lane.result() for lane in lanes])


async def _in_tasks(operate: Callable[[Any], Awaitable[bool]], material: Sequence[Any], parallel: int) -> Pace:
    async def lane(pieces: Sequence[Any]) -> Pace:
        latency_ns, refused, now = list[int](), 0, time.perf_counter_ns
        for piece in pieces:
            began = now()
            refused += not await operate(piece)
            latency_ns.append(now() - began)
        return Pace(latency_ns, refused)

    return _together(await asyncio.gather(*(lane(material[number::parallel]) for number in range(parallel))))


def _together(lanes: Sequence[Pace]) -> Pace:
    return Pace([took for lane in lanes for took in lane.latency_ns], sum(lane.refused for lane in lanes))


def _standard_output_kept() -> TextIO:
    """Return standard output, and redirect other prints to nowhere: it must contain only answers."""
    kept = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return kept


def _say(answers: TextIO, said: Answer) -> None:
    print(json.dumps(said), file=answers, flush=True)


def _lines() -> Iterator[Answer]:
    for line in sys.stdin:
        asked: Answer = json.loads(line)
        yield asked
