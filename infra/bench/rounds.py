"""Running the contenders of a group by turns: A B C, A B C, …, so that whatever the machine does meets all of them.

The first two rounds warm up and aren't counted: Node.js compiles only what it has seen often. A contender that can't be
started, fails, or refuses what it should have done, isn't measured: it leaves its reason instead of numbers, and the
others go on.
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
    """A contender has no numbers; the message says why."""


@dataclass
class Measured:
    """The result of one contender: its rounds, or the reason for none."""

    contender: Contender
    rounds: list[Round] = field(default_factory=list)
    reason: str = ""


def run(group: Group, rounds: int, homes: Homes) -> list[Measured]:
    """Return the result of each contender of a group, measured `rounds` times after warm-up rounds.

    They share a database engine that starts empty with the group and ends with it.
    """
    database = engine.start(None, say=False)
    try:
        with ExitStack() as stack:
            return _by_turns(group, rounds, _Contenders(stack, homes, _environment(database.url)))
    finally:
        database.stop()


@dataclass
class _Contenders:
    """Starts processes that end with `stack`."""

    stack: ExitStack
    homes: Homes
    environment: Mapping[str, str]

    def started(self, contender: Contender) -> "_Process":
        command = _command(contender, self.homes)
        return self.stack.enter_context(_Process(command, self.environment))


def _by_turns(group: Group, rounds: int, contenders: _Contenders) -> list[Measured]:
    outcomes = [Measured(contender) for contender in group.contenders]
    running: dict[str, _Process] = {}
    for number in range(WARM_UPS + rounds + group.more_rounds):
        for outcome in outcomes:
            if outcome.reason:
                continue
            try:
                if number == 0:
                    running[outcome.contender.name] = contenders.started(outcome.contender)
                measured = _round(running[outcome.contender.name], group, outcome.contender)
            except NotMeasured as error:
                outcome.rounds, outcome.reason = [], str(error)
                continue
            if number >= WARM_UPS:
                outcome.rounds.append(measured)
    return outcomes


def _round(process: "_Process", group: Group, contender: Contender) -> Round:
    answer = process.ask({"run": group.operations, "parallel": group.parallel})
    if answer["refused"] and not contender.may_refuse:
        raise NotMeasured(f"it refused {answer['refused']} of {answer['operations']} operations")
    latency_ns = sorted(answer.pop("latency_ns"))
    return answer | {"p50_ns": _quantile(latency_ns, 0.5), "p99_ns": _quantile(latency_ns, 0.99)}


def _quantile(ordered: Sequence[int], share: float) -> int:
    """Return the value that so large a share of them doesn't exceed (nearest rank)."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _command(contender: Contender, homes: Homes) -> list[str]:
    arguments = [contender.argument] if contender.argument else []
    if not (ROOT / "infra" / "bench" / "contenders" / contender.file).exists():
        raise NotMeasured("its program isn't there")
    if contender.at_home == "node":
        if homes.node is None:
            raise NotMeasured("the Node.js peers can't be installed here")
        return ["node", "--no-warnings", str(homes.node / contender.file), *arguments]
    python = homes.python if contender.at_home == "python" else Path(sys.executable)
    if python is None:
        raise NotMeasured("the Python peers can't be installed here")
    module = f"infra.bench.contenders.{contender.file.removesuffix('.py')}"
    return [str(python), "-m", module, *arguments]


def _environment(url: str) -> dict[str, str]:
    """Return the environment of contenders: the engine, no real AWS account, production's settings."""
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
    """A contender's process: ready when entered, ended when left."""

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
            self._line_with("ready", STARTS_WITHIN_S, "it doesn't start here")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._end()

    def ask(self, asked: Mapping[str, int]) -> Round:
        """Return the answer to one command. Raises NotMeasured without one."""
        failed = "it failed in the middle of a round"
        assert self.process.stdin is not None  # noqa: S101 - opened above
        try:
            print(json.dumps(asked), file=self.process.stdin, flush=True)
        except OSError as error:
            raise NotMeasured(failed) from error
        return self._line_with("operations", RUNS_WITHIN_S, failed)

    def _line_with(self, name: str, within_s: float, otherwise: str) -> Round:
        """Return the next line of JSON that says `name`; what libraries print before all is ready is skipped."""
        assert self.process.stdout is not None  # noqa: S101 - opened above
        # A process that hangs is killed, which ends its output.
        timer = threading.Timer(within_s, self.process.kill)
        timer.start()
        try:
            for line in self.process.stdout:
                said = _parsed(line)
                if name in said:
                    return said
        finally:
            timer.cancel()
        raise NotMeasured(otherwise)

    def _end(self) -> None:
        """Close its standard input, which ends it; kill it after a timeout."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _parsed(line: str) -> Round:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
