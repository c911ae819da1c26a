"""One Enterprise account behind eight functions: how many writes a request takes, whether a second admits too many.

Eight processes, each sending the argument's number of requests a second for it, paced. What one second admitted is
counted by the moment that each decision says it was made at, and all processes share this machine's clock; so whatever
goes beyond the burst of a thousand is over-admitted, and nothing else is.
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
from infra.bench.contender import Answer, serve_runs

FUNCTIONS = 8
COUNTER = counter_of("key_benchmark")
"""All functions serve the same key."""
READS = frozenset({"GetItem", "BatchGetItem", "Query"})
BEGINS_IN_S = 0.3
"""When the first requests are due: by then every process has heard of it."""
RUN_IN_S = 2
"""For so long the load runs before it is measured: what a busy account's functions do depends on the second before.
Whether too many were admitted is judged of the run-in, too."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one function did of a run."""

    latency_ns: list[int]
    cpu_ns: int
    writes: int
    refused: int
    admitted_in: Counter[int]
    """How many, by clock second, those of the run-in among them."""


def main() -> None:
    """Serve runs."""
    per_second = int(sys.argv[1])
    subject = f"acc_fleet{per_second:012}"
    with latchkey.ready():  # the tables are there before eight look for them
        pass
    spawned = multiprocessing.get_context("spawn")
    pipes = []
    for number in range(FUNCTIONS):
        ours, theirs = spawned.Pipe()
        spawned.Process(target=_function, args=(theirs, subject, per_second, number), daemon=True).start()
        theirs.close()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()  # it is ready

    def run(count: int, _parallel: int) -> Answer:
        began_ns = time.perf_counter_ns()
        due_s = time.monotonic() + BEGINS_IN_S
        for pipe in pipes:
            pipe.send((count // FUNCTIONS, due_s))
        shares: list[Share] = [pipe.recv() for pipe in pipes]
        return _together(shares, time.perf_counter_ns() - began_ns - int((BEGINS_IN_S + RUN_IN_S) * 1e9))

    serve_runs(run)


def _together(shares: list[Share], wall_ns: int) -> Answer:
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
    """Be one function: send its share of each run when it is due, until the pipe closes."""
    with latchkey.ready(), suppress(EOFError):
        pipe.send("ready")
        while True:
            count, due_s = pipe.recv()
            # The functions take turns within one interval, rather than all at its beginning.
            pipe.send(_share(subject, count, due_s + number / FUNCTIONS / per_second, 1 / per_second))


def _share(subject: str, count: int, due_s: float, interval_s: float) -> Share:
    run_in = Sender(subject, due_s, interval_s)
    run_in.send(round(RUN_IN_S / interval_s))
    sender, cpu_before = Sender(subject, run_in.due_s, interval_s), time.process_time_ns()
    with telemetry.record_calls() as calls:
        sender.send(count)
    cpu_ns, writes = time.process_time_ns() - cpu_before, sum(operation not in READS for operation, _ in calls.made)
    return Share(sender.latency_ns, cpu_ns, writes, sender.refused, run_in.admitted_in + sender.admitted_in)


@dataclass(slots=True)
class Sender:
    """Sends requests of one subject when they are due, and late ones at once."""

    subject: str
    due_s: float
    interval_s: float
    latency_ns: list[int] = field(default_factory=list)
    admitted_in: Counter[int] = field(default_factory=Counter)
    refused: int = 0

    def send(self, count: int) -> None:
        """Send `count` requests, each when it is due."""
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
