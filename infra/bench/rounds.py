"""Run the contenders of a group in alternation (A B C, A B C, …), so that other load affects all of them equally.

The first two rounds are warm-ups and aren't counted, because Node.js compiles only code that ran often. If a contender
can't be started, fails, or rejects an operation, the results contain the reason instead of numbers, and the other
contenders continue.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra import engine
from infra.bench.peers import LOG, Homes
from infra.bench.rows import Contender, Group

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_S = 120
RUNS_WITHIN_S = 240
WARM_UPS = 2

Round = dict[str, Any]


class NotMeasured(Exception):
    """A contender couldn't be measured; the message is the reason."""


@dataclass
class Measured:
    """The result of one contender: its rounds, or the reason why it wasn't measured."""

    contender: Contender
    rounds: list[Round] = field(default_factory=list)
    reason: str = ""


def run(group: Group, rounds: int, homes: Homes) -> list[Measured]:
    """Measure all contenders of a group for `rounds` rounds after the warm-up rounds.

    The contenders share a local database, which is started empty and stopped at the end.
    """
    database = engine.start(None, say=False)
    try:
        with ExitStack() as stack:
            return _alternate(group, rounds, _Contenders(stack, homes, _environment(database.url)))
    finally:
        database.stop()


@dataclass
class _Contenders:
    """Starts contenders' processes, which end when `stack` is closed."""

    stack: ExitStack
    homes: Homes
    environment: Mapping[str, str]

    def start(self, contender: Contender) -> "_Process":
        command = _command(contender, self.homes)
        return self.stack.enter_context(_Process(command, self.environment))


def _alternate(group: Group, rounds: int, contenders: _Contenders) -> list[Measured]:
    outcomes = [Measured(contender) for contender in group.contenders]
    running: dict[str, _Process] = {}
    for number in range(WARM_UPS + rounds + group.more_rounds):
        for outcome in outcomes:
            if outcome.reason:
                continue
            try:
                if number == 0:
                    running[outcome.contender.name] = contenders.start(outcome.contender)
                measured = _run_round(running[outcome.contender.name], group, outcome.contender)
            except NotMeasured as error:
                outcome.rounds, outcome.reason = [], str(error)
                continue
            if number >= WARM_UPS:
                outcome.rounds.append(measured)
    return outcomes


def _run_round(process: "_Process", group: Group, contender: Contender) -> Round:
    measured = process.send({"run": group.operations, "parallel": group.parallel})
    if measured["refused"] and not contender.may_refuse:
        raise NotMeasured(f"it rejected {measured['refused']} of {measured['operations']} operations")
    latency_ns = sorted(measured.pop("latency_ns"))
    return measured | {"p50_ns": _quantile(latency_ns, 0.5), "p99_ns": _quantile(latency_ns, 0.99)}


def _quantile(ordered: Sequence[int], share: float) -> int:
    """Return a quantile of sorted values by nearest rank, such as the median for a share of 0.5."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _command(contender: Contender, homes: Homes) -> list[str]:
    arguments = [contender.argument] if contender.argument else []
    if not (ROOT / "infra" / "bench" / "contenders" / contender.file).exists():
        raise NotMeasured("its program doesn't exist")
    if contender.at_home == "node":
        if homes.node is None:
            raise NotMeasured("the Node.js libraries can't be installed on this machine")
        return ["node", "--no-warnings", str(homes.node / contender.file), *arguments]
    python = homes.python if contender.at_home == "python" else Path(sys.executable)
    if python is None:
        raise NotMeasured("the Python libraries can't be installed on this machine")
    module = f"infra.bench.contenders.{contender.file.removesuffix('.py')}"
    return [str(python), "-m", module, *arguments]


def _environment(url: str) -> dict[str, str]:
    """Return the contenders' environment: it selects the local database and production settings, but no AWS account."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "LATCHKEY_", "PYTHON", "NODE_"))
    }
    return own | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LATCHKEY_STAGE": "local",
        "LATCHKEY_KEY_KIND": "test",
        "LATCHKEY_PUBLIC_URL": "https://api.example.com",
        "NODE_ENV": "production",
        "PYTHONPATH": str(ROOT),
    }


class _Process:
    """A contender's process, which is ready at the start of a `with` block and stopped at its end."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.command, self.environment = command, environment

    def __enter__(self) -> Self:
        with LOG.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            self._line_with("ready", STARTS_WITHIN_S, "it doesn't start on this machine")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._end()

    def send(self, command: Mapping[str, int]) -> Round:
        """Send one command and return its result. Raises NotMeasured if the process fails."""
        failed = "it failed during a round"
        assert self.process.stdin is not None  # noqa: S101 - opened above
        try:
            print(json.dumps(command), file=self.process.stdin, flush=True)
        except OSError as error:
            raise NotMeasured(failed) from error
        return self._line_with("operations", RUNS_WITHIN_S, failed)

    def _line_with(self, name: str, within_s: float, otherwise: str) -> Round:
        """Return the next JSON object that has the field `name`; skip other output of the process."""
        assert self.process.stdout is not None  # noqa: S101 - opened above
        # If the process hangs, the timer kills it, which closes its output and ends the loop.
        timer = threading.Timer(within_s, self.process.kill)
        timer.start()
        try:
            for line in self.process.stdout:
                message = _parse(line)
                if name in message:
                    return message
        finally:
            timer.cancel()
        raise NotMeasured(otherwise)

    def _end(self) -> None:
        """Close the process's standard input, which ends it; kill it after a timeout."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _parse(line: str) -> Round:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
