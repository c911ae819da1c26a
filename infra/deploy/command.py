"""Command line of `make deploy`, `package`, `status`, `rotate-edge` and `destroy`."""

import sys
from collections.abc import Callable
from pathlib import Path

from infra import aws_errors, aws_settings, checkout, closable_output, configuration
from infra.deploy import deploy, destroy, options, package, status
from infra.deploy.chalice_commands import without_shell_settings
from infra.failed import DeployError, Mistake

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C interrupted, as in a shell."""


def main(words: list[str] | None = None) -> int:
    """Run one command. If it fails, print one sentence on standard error and return 1."""
    try:
        with closable_output.discarded_when_closed():
            _run(words)
    except KeyboardInterrupt:
        print("\nInterrupted. What was done by then stays done: run this again to finish it.", file=sys.stderr)
        return INTERRUPTED
    except (DeployError, Mistake, *aws_errors.REFUSED) as error:
        print(aws_errors.in_words(error), file=sys.stderr)
        return 1
    return 0


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
