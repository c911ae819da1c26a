"""Command line of `make deploy`, `package`, `status`, `rotate-edge` and `destroy`."""

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from infra import aws_errors, aws_settings, checkout, configuration
from infra.deploy import deploy, destroy, options, package, status
from infra.deploy.chalice_commands import without_shell_settings
from infra.failed import DeployError, Mistake

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C interrupted, as in a shell."""


def main(words: list[str] | None = None) -> int:
    """Run one command. If it fails, print one sentence on standard error and return 1."""
    try:
        with redirect_stdout(_ClosableOutput(sys.stdout)):
            _run(words)
    except KeyboardInterrupt:
        print("\nInterrupted. What was done by then stays done: run this again to finish it.", file=sys.stderr)
        return INTERRUPTED
    except (DeployError, Mistake, *aws_errors.REFUSED) as error:
        print(aws_errors.in_words(error), file=sys.stderr)
        return 1
    return 0


class _ClosableOutput:
    """A wrapper of standard output. If its reader closes it early, like `head`, the command isn't interrupted."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, or discard it if the reader has closed the output."""
        try:
            self._stream.write(text)
        except BrokenPipeError:
            self._discard()
        return len(text)

    def flush(self) -> None:
        """Flush the output, unless the reader has closed it."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._discard()

    def _discard(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def _run(words: list[str] | None) -> None:
    given = options.parsed(words)
    stage = given.stage
    chosen = {"AlarmEmail": given.alarm_email, "LogDays": given.log_days, "Boundary": given.boundary}
    wanted = (given.domain, given.certificate) if given.edge else None
    commands: dict[str, Callable[[], None]] = {
        "deploy": lambda: (deploy.plan if given.dry_run else deploy.deploy)(stage, chosen=chosen, edge=wanted),
        "package": lambda: package.package(stage, Path(given.out or ".local/package"), edge=wanted),
        "status": lambda: status.status(stage),
        "rotate-edge": lambda: deploy.rotate_edge(stage),
        "destroy": lambda: destroy.destroy(stage, delete_data=given.data == "delete"),
    }
    configuration.of_stage(stage)
    checkout.check(given.command, stage)
    aws_settings.check()
    with without_shell_settings():
        commands[given.command]()
