"""Load and check app.py before a command changes anything, because an error in app.py would stop Chalice midway."""

import os
import re
import traceback
from collections import Counter
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from chalice.app import CloudWatchEventConfig, S3EventConfig, ScheduledEventConfig
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.deploy.validate import validate_configuration

from chalicelib.api import routing
from infra import chalice_cli, configuration, deployed, own_functions, schedules
from infra.deploy.chalice_commands import environment_restored
from infra.failed import DeployError, one_line

NAME = re.compile("[A-Za-z0-9_-]{1,64}")
"""A name that Lambda and EventBridge accept."""
RESERVED = ("api_handler", "rest_api", "websocket_api", "default-role")
"""Names of Chalice's own resources."""
ENDS = ("-event", "-event-source", "-s3event", "-sns-subscription", "-log-group", "_role")
"""The ends of Chalice's names for what belongs to a function."""
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")
UNCHANGED = "Nothing was changed."


def check_app(stage: str, *, is_packaged: bool = False) -> None:
    """Raise DeployError if Chalice or AWS would reject app.py or a function that it declares.

    `is_packaged` means for a SAM template, for which Chalice supports fewer functions.
    """
    chalice_cli.install()
    with environment_restored():  # Chalice sets the functions' variables to load an app
        os.environ["AWS_CHALICE_CLI_MODE"] = "true"  # as Chalice's command line does
        config = _loaded(stage)
        if is_packaged and any(isinstance(each, S3EventConfig) for each in config.chalice_app.event_sources):
            raise DeployError(
                "app.py has a handler of S3 events, which Chalice can't package: give it a stack of its own."
                f" {UNCHANGED}"
            )
        if config.chalice_app.websocket_handlers:
            raise DeployError(
                "app.py has WebSocket handlers, which can't be deployed with Latchkey: give them a Chalice app of their"
                f" own. {UNCHANGED}"
            )
        _check_names(config.chalice_app)
        own = own_functions.declared(config.chalice_app)
        _check_configured(stage, config, (*configuration.OURS, *own))
        for name in own:
            _check_own(stage, name, config)


def _loaded(stage: str) -> Config:
    """Import app.py, and return Chalice's configuration of a stage, which contains the app."""
    try:
        config: Config = CLIFactory(str(Path.cwd()), environ=os.environ).create_config_obj(stage)
        validate_configuration(config)
        for methods in config.chalice_app.routes.values():
            for entry in methods.values():
                if routing.route_of(entry) is not routing.UNKNOWN:
                    routing.route_of(entry).resolve()  # imports the view, which its first request would import
    except (Exception, SystemExit) as error:  # the operator's code can raise anything
        raise DeployError(f"app.py can't be loaded: {_in_words(error)}. {UNCHANGED}") from error
    return config


def _in_words(error: BaseException) -> str:
    """Return an error in one line, with the innermost line of app.py or chalicelib in its traceback."""
    if isinstance(error.__context__, SyntaxError):  # Chalice raises a RuntimeError in its place
        error = error.__context__
        place = [(error.filename or "app.py", error.lineno)]
    else:
        place = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    text = one_line(str(error.msg if isinstance(error, SyntaxError) else error)).rstrip(".")
    operators = [
        f" ({path.relative_to(Path.cwd())}, line {line})"
        for path, line in ((Path(file), line) for file, line in place)
        if path == Path.cwd() / "app.py" or path.is_relative_to(Path.cwd() / "chalicelib")
    ]
    return f"{type(error).__name__}: {text}{operators[-1]}" if operators else text


def _check_configured(stage: str, config: Config, functions: tuple[str, ...]) -> None:
    """Raise DeployError for a configured function that app.py doesn't declare."""
    whole = config.config_from_disk
    for place, level in (("", whole), (f"stages.{stage}.", whole["stages"][stage])):
        for name in level.get("lambda_functions", {}):
            if name not in functions:
                meant = get_close_matches(name, functions, n=1, cutoff=0.8)
                hint = f"Did you mean {meant[0]}?" if meant else "Rename or remove it."
                raise DeployError(
                    f"{configuration.FILE}, {place}lambda_functions.{name}: app.py declares no such function. {hint}"
                )


def _check_names(app: Any) -> None:
    """Raise DeployError for a name of an own function that Chalice uses for something else."""
    for name, times in Counter(own_functions.names(app)).items():
        if times > 1 or name in RESERVED or name.endswith(ENDS):
            raise DeployError(
                f"app.py: no function of yours can be called {name}, since Chalice gives that name to something else."
                f" Give it another one, by name=. {UNCHANGED}"
            )


def _check_own(stage: str, name: str, config: Config) -> None:
    """Raise DeployError for a function of the operator that can't be created."""
    function, app = deployed.function_name(stage, name), config.chalice_app
    scheduled = {
        each.name for each in app.event_sources if isinstance(each, (CloudWatchEventConfig, ScheduledEventConfig))
    }
    longest = schedules.rule_name(function) if name in scheduled else function
    if not NAME.fullmatch(longest):
        raise DeployError(
            f"app.py: the function {name} would be {longest} in AWS, which takes names of up to 64 letters, digits, -"
            f" and _. Give it another one, by name=. {UNCHANGED}"
        )
    if not ROLE.fullmatch(str(config.scope(stage, name).iam_role_arn)):
        raise DeployError(
            f"app.py: your function {name} needs a role. Set the role's ARN as iam_role_arn in {configuration.FILE},"
            f' stages.{stage}.lambda_functions.{name}: docs/own-routes.md, "Functions of your own". {UNCHANGED}'
        )
