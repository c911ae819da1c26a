"""Measure writes per request and over-admission for one Enterprise account that is served by eight functions.

Eight processes each send requests for the account at the rate in the argument, evenly spaced. Admissions are counted
per second, by the time of each decision. All processes share this machine's clock, so every admission beyond the burst
of 1,000 in a second is an over-admission.
"""

import multiprocessing
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from chalicelib.core import telemetry
from chalicelib.limits.admission import Rejected, admit
from chalicelib.limits.counter_items import counter_of
from chalicelib.limits.tiers import ENTERPRISE
from infra.bench import latchkey
from infra.bench.contender import Measurement, serve_runs

FUNCTIONS = 8
COUNTER = counter_of("key_benchmark")
"""The usage counter of the one key that all requests use."""
READS = frozenset({"GetItem", "BatchGetItem", "Query"})
BEGINS_IN_S = 0.3
"""The delay before the first requests. It is long enough for every process to receive the command."""
RUN_IN_S = 2
"""How long requests are sent before measurements start. The sizes of a function's leases depend on the number of its
requests in the last second, so they are typical only after this time. Over-admissions are always counted."""


@dataclass(frozen=True, slots=True)
class Share:
    """The results of one function in a run."""

    latency_ns: list[int]
    cpu_ns: int
    writes: int
    refused: int
    admitted_in: Counter[int]
    """The number of admitted requests in each clock second, including the run-in."""


def main() -> None:
    """Start the functions, and measure their admissions at the rate in the argument."""
    per_second = int(sys.argv[1])
    subject = f"acc_fleet{per_second:012}"
    with latchkey.ready():  # create the tables before eight processes try to
        pass
    spawned = multiprocessing.get_context("spawn")
    pipes = []
    for number in range(FUNCTIONS):
        ours, theirs = spawned.Pipe()
        spawned.Process(target=_function, args=(theirs, subject, per_second, number), daemon=True).start()
        theirs.close()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()  # wait until the function is ready

    def run(count: int, _parallel: int) -> Measurement:
        began_ns = time.perf_counter_ns()
        due_s = time.monotonic() + BEGINS_IN_S
        for pipe in pipes:
            pipe.send((count // FUNCTIONS, due_s))
        shares: list[Share] = [pipe.recv() for pipe in pipes]
        return _combine(shares, time.perf_counter_ns() - began_ns - int((BEGINS_IN_S + RUN_IN_S) * 1e9))

    serve_runs(run)


def _combine(shares: list[Share], wall_ns: int) -> Measurement:
    admitted_in = sum((share.admitted_in for share in shares), Counter[int]())
    latency_ns = [took for share in shares for took in share.latency_ns]
    return {
        "operations": len(latency_ns),
        "wall_ns": wall_ns,
        "cpu_ns": sum(share.cpu_ns for share in shares),
        "latency_ns": latency_ns,
        "calls": sum(share.writes for share in shares),
        "refused": sum(share.refused for share in shares),
        "over_admitted": sum(max(0, admitted - ENTERPRISE.burst) for admitted in admitted_in.values()),
        "busiest_second": max(admitted_in.values(), default=0),
    }


def _function(pipe: Connection, subject: str, per_second: int, number: int) -> None:
    """Simulate one function: send its share of each run's requests until the pipe closes."""
    with latchkey.ready(), suppress(EOFError):
        pipe.send("ready")
        while True:
            count, due_s = pipe.recv()
            # The functions send at different times within an interval, not all at its beginning.
            pipe.send(_run_share(subject, count, due_s + number / FUNCTIONS / per_second, 1 / per_second))


def _run_share(subject: str, count: int, due_s: float, interval_s: float) -> Share:
    run_in = Sender(subject, due_s, interval_s)
    run_in.send(round(RUN_IN_S / interval_s))
    sender, cpu_before = Sender(subject, run_in.due_s, interval_s), time.process_time_ns()
    with telemetry.record_calls() as calls:
        sender.send(count)
    cpu_ns, writes = time.process_time_ns() - cpu_before, sum(operation not in READS for operation, _ in calls.made)
    return Share(sender.latency_ns, cpu_ns, writes, sender.refused, run_in.admitted_in + sender.admitted_in)


@dataclass(slots=True)
class Sender:
    """Sends the requests of one account at a constant rate. A request that is late is sent immediately."""

    subject: str
    due_s: float
    interval_s: float
    latency_ns: list[int] = field(default_factory=list)
    admitted_in: Counter[int] = field(default_factory=Counter)
    refused: int = 0

    def send(self, count: int) -> None:
        """Send `count` requests, each at its scheduled time."""
        for _ in range(count):
            time.sleep(max(0.0, self.due_s - time.monotonic()))
            self.due_s += self.interval_s
            began = time.perf_counter_ns()
            try:
                self.admitted_in[admit(self.subject, ENTERPRISE, counter=COUNTER).now_ms // 1000] += 1
            except Rejected:
                self.refused += 1
            self.latency_ns.append(time.perf_counter_ns() - began)


if __name__ == "__main__":
    main()
