"""Run Chalice's own commands in this process: `chalice deploy`, `delete`, `package` and `dev plan`."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click
from chalice.app import Chalice
from chalice.cli import cli as chalices
from chalice.cli.factory import CLIFactory
from chalice.deploy.deployer import ChaliceDeploymentError
from chalice.deploy.packager import NoSuchPackageError

from infra import aws_errors, chalice_cli, configuration, deployed
from infra.failed import DeployError

UNTOUCHED = {
    "deploy": "The data was not touched. A service that ran before still runs; some functions may be new already.",
    "delete": "The data was not touched; of the service a part may be gone.",
    "package": "Nothing was deployed.",
    "dev plan": "Nothing was changed.",
}
"""A sentence about the state of a stage after a failure, by Chalice command."""


_EMPTY_APP = Chalice(configuration.APP, configure_logs=False)
_load_app = CLIFactory.load_chalice_app
FORESEEN = (ChaliceDeploymentError, NoSuchPackageError, LookupError, DeployError)
"""The errors of Chalice's commands that are printed without a traceback."""


def chalice(command: str, stage: str, *more: str) -> None:
    """Run one of Chalice's own commands, and print its output."""
    chalice_cli.install()
    if command == "delete":
        deployed.note_for_deletion(stage)  # this checkout may lack Chalice's record of the stage
    words = [*command.split(), "--stage", stage, *more]
    try:
        with _without_app() if command == "delete" else nullcontext():
            chalices.main(words, prog_name="chalice", standalone_mode=False, obj={})
    except click.Abort as error:  # Chalice's command line raises this for Ctrl-C
        raise KeyboardInterrupt from error
    except Exception as error:
        if isinstance(error, click.ClickException):
            error.show()
        elif isinstance(error, aws_errors.REFUSED):
            print(aws_errors.in_words(error), file=sys.stderr)
        elif isinstance(error, FORESEEN):
            print(str(error).strip(), file=sys.stderr)
        else:
            traceback.print_exc()  # other errors are bugs in the operator's code or in Latchkey, and need a traceback
        raise DeployError(
            f"chalice {command} failed; the error is above. {UNTOUCHED[command]} Fix the cause, then run this again."
        ) from error


@contextmanager
def _without_app() -> Iterator[None]:
    """Make Chalice work without app.py in a `with` block. It imports it even to delete, and an error would stop it."""
    CLIFactory.load_chalice_app = lambda *_, **__: _EMPTY_APP  # type: ignore[method-assign]  # Chalice has no hook
    try:
        yield
    finally:
        CLIFactory.load_chalice_app = _load_app  # type: ignore[method-assign]  # as above


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set environment variables during a `with` block, and restore them afterwards."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def environment_restored() -> Iterator[None]:
    """Restore the whole environment after a `with` block."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def without_shell_settings() -> Iterator[None]:
    """Unset the shell's LATCHKEY_ variables in a `with` block: a stage's settings come only from .chalice/config.json.

    Otherwise the gateway responses would be generated from settings that differ from the functions' settings.
    """
    with environment_restored():
        for name in [name for name in os.environ if name.startswith("LATCHKEY_")]:
            del os.environ[name]
        yield
