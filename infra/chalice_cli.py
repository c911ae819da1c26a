"""Patches of Chalice's command line, so that its plain commands work without a wrapper.

`deploy` and `package` add the gateway responses to the API document, use the roles and the streams of the data stack,
and build complete packages (`packaging.py`). `deploy` also adopts existing resources (`deployed.py`).
`local` runs the local gateway instead of Chalice's.
"""

import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from chalice import local
from chalice.app import DynamoDBEventConfig
from chalice.awsclient import TypedAWSClient
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.deploy.executor import DisplayOnlyExecutor
from chalice.deploy.swagger import SwaggerGenerator
from chalice.package import SAMTemplateGenerator

from chalicelib.core import settings
from infra import (
    background,
    deployed,
    gateway,
    own_functions,
    packaging,
    roles,
    schedules,
    server,
    stage_key,
    subscription,
    template,
)
from infra.edge import viewer_address

WITH_DATA = "PACKAGED_WITH_LATCHKEY_DATA"
"""An environment variable that is set while `make package` packages service and data together."""

WITHOUT_CLIENT_IP_HEADER = "DEPLOYED_WITHOUT_CLIENT_IP_HEADER"
"""An environment variable that is set while the client address header isn't trusted, since callers could forge it."""

WITH_DISABLED_ENDPOINT = "DEPLOYED_WITH_DISABLED_ENDPOINT"
"""Set if the API's execute-api endpoint is disabled: importing a document that doesn't say so could enable it."""

DELETES_MAX, BETWEEN_DELETES_S = 10, 31

NOT_YET = r"(?i)cannot access stream|role.*can ?not be assumed"
"""Errors that Lambda returns until a new IAM role has propagated. Chalice itself retries only other errors."""

_generate = SwaggerGenerator.generate_swagger
_deployer, _packager = CLIFactory.create_default_deployer, CLIFactory.create_app_packager
_planner = CLIFactory.create_plan_only_deployer
_add_subscription = SAMTemplateGenerator._generate_dynamodbeventsource
_is_about_role = TypedAWSClient._is_iam_role_related_error
_is_settling = TypedAWSClient._is_settling_error
_delete = TypedAWSClient.delete_rest_api


def install() -> None:
    """Patch Chalice's command line. Further calls have no effect."""
    SwaggerGenerator.generate_swagger = _generate_with_gateway  # type: ignore[method-assign]  # Chalice has no hook
    CLIFactory.create_default_deployer = _create_deployer  # type: ignore[method-assign]  # as above
    CLIFactory.create_plan_only_deployer = _create_planner  # type: ignore[method-assign]  # as above
    DisplayOnlyExecutor.execute = _show_plan  # type: ignore[method-assign]  # as above
    CLIFactory.create_app_packager = _create_packager  # type: ignore[method-assign]  # as above
    TypedAWSClient._is_iam_role_related_error = _is_not_yet  # type: ignore[method-assign]  # as above
    # Chalice uses this method to retry changes of event source mappings. These changes also fail while a role is new.
    TypedAWSClient._is_settling_error = _is_still_settling  # type: ignore[method-assign]  # as above
    TypedAWSClient.delete_rest_api = _delete_api  # type: ignore[method-assign]  # as above
    local.create_local_server = create_local_server  # type: ignore[assignment]  # as above
    SAMTemplateGenerator._add_iam_role = _add_role  # type: ignore[assignment]  # as above
    SAMTemplateGenerator._generate_dynamodbeventsource = _subscribe  # type: ignore[assignment]  # as above
    packaging.install()


def create_local_server(app: Any, _config: Config, host: str, port: int) -> server.Server:
    """Return the local server that `chalice local` runs."""
    prepare_environment(f"http://{host}:{port}")
    settings.current()  # raises for an invalid setting now instead of at the first request
    if _has_local_engine():
        background.start()
    return server.Server(app, host, port)


def prepare_environment(public_url: str) -> None:
    """Set the environment variables of a local run.

    With a local database, these include the stage `local` and fake AWS credentials.
    """
    if not os.environ.get("LATCHKEY_PUBLIC_URL"):
        os.environ["LATCHKEY_PUBLIC_URL"] = public_url
    if _has_local_engine():
        os.environ["LATCHKEY_STAGE"] = "local"
        os.environ["LATCHKEY_KEY_KIND"] = "test"
        # botocore needs credentials to sign calls; a local database accepts any credentials.
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        os.environ.setdefault("LATCHKEY_STAGE_KEY_FILE", str(stage_key.local_file()))


def _has_local_engine() -> bool:
    engine = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL", "")
    return urlsplit(engine).hostname in ("127.0.0.1", "localhost", "::1")


def _create_deployer(self: CLIFactory, session: Any, config: Config, ui: Any) -> Any:
    """Return a deployer that adopts existing resources, so that it works from any checkout and after any failure."""
    made, aws = _prepare_deployment(config), TypedAWSClient(session)
    names = {name: deployed.function_name(config.chalice_stage, name) for name in deployed.FUNCTIONS}
    of_functions = roles.by_function({function: made[template.logical_role(name)] for name, function in names.items()})
    for function in roles.release(
        of_functions, give=lambda function, arn: aws._do_update_function_config(function, {"Role": arn})
    ):
        ui.write(f"The role of {function} was recreated: assigning it to the function again …\n")
    for name, function in names.items():
        _of_function(config, name).setdefault("tags", {})[roles.TAG] = of_functions[function].id
    own = [deployed.function_name(config.chalice_stage, name) for name in own_functions.declared(config.chalice_app)]
    subscribed = [names[name] for name in subscription.TABLES]
    subscription.await_deletion([*subscribed, *own], say=lambda text: ui.write(f"{text}\n"), pause=aws._sleep)
    for name, output in subscription.OUTPUTS.items():
        subscription.complete(session, names[name], made[output], subscription.OPTIONS[name])
    schedules.switch_on(session, (schedules.rule_name(names[name]) for name in schedules.SCHEDULED))
    deployed.note_for_deployment(config.chalice_stage, own_functions.sources(config.chalice_app))
    return _deployer(self, session, config, ui)


def _create_planner(self: CLIFactory, session: Any, config: Config, ui: Any) -> Any:
    """Return the planner of a dry run. Without a data stack, the ARNs of the streams are placeholders."""
    try:
        _prepare_deployment(config)
    except LookupError:
        _name_streams(config, dict.fromkeys(subscription.TABLES, "arn:aws:dynamodb:of:the:table/data/stream/stack"))
    deployed.note_for_deployment(config.chalice_stage, own_functions.sources(config.chalice_app))
    return _planner(self, session, config, ui)


def _show_plan(self: DisplayOnlyExecutor, plan: Any) -> None:
    """Print the plan of a dry run, one line for each message of the deployment.

    Chalice itself prints each call with the whole API document. In these eleven thousand lines, an operator would
    overlook the deletion of a domain.
    """
    for each in plan.instructions:
        message = plan.messages.get(id(each), "").strip()
        if message:
            domain = each.params.get("domain_name", "")
            self._ui.write(f"  {message}" + (f" ({domain})" if domain not in message else "") + "\n")


def _prepare_deployment(config: Config) -> dict[str, str]:
    """Add the roles and the streams of the data stack to the configuration.

    Returns the outputs of the data stack.
    """
    if WITHOUT_CLIENT_IP_HEADER in os.environ:
        viewer_address.distrust(config._config_from_disk, config.chalice_stage)
    made = deployed.outputs(config.chalice_stage)
    _give_roles(config, lambda name: made[template.logical_role(name)])
    _name_streams(config, {name: made[output] for name, output in subscription.OUTPUTS.items()})
    return made


def _create_packager(self: CLIFactory, config: Config, *options: Any, **more: Any) -> Any:
    """Return the packager. CloudFormation fills in the streams' ARNs when the stack is created."""
    for name, table in subscription.TABLES.items():
        export = {"Fn::ImportValue": f"latchkey-{config.chalice_stage}-{table}-stream"}
        own = {"Fn::GetAtt": [table.capitalize(), "StreamArn"]}
        _name_streams(config, {name: own if WITH_DATA in os.environ else export})
    return _packager(self, config, *options, **more)


def _add_role(_self: SAMTemplateGenerator, resource: Any, function: dict[str, Any]) -> None:
    """Set a function's role as a CloudFormation reference; Chalice supports only ARNs."""
    name, stage = resource.resource_name, resource.environment_variables["LATCHKEY_STAGE"]
    if name not in deployed.FUNCTIONS:  # the operator's own function, whose role is in the configuration
        function["Properties"] |= {"Role": resource.role.role_arn, "FunctionName": deployed.function_name(stage, name)}
    elif WITH_DATA in os.environ:
        function["Properties"]["Role"] = {"Fn::GetAtt": [template.logical_role(name), "Arn"]}
    else:
        function["Properties"]["Role"] = {"Fn::Sub": template.role_arn(name).replace("${Stage}", stage)}


def _subscribe(self: SAMTemplateGenerator, resource: Any, packaged: dict[str, Any]) -> None:
    """Add an event source mapping, with the options that Chalice can't set."""
    _add_subscription(self, resource, packaged)
    name = resource.lambda_function.resource_name
    if name in subscription.OPTIONS:
        (event,) = packaged["Resources"][name.capitalize()]["Properties"]["Events"].values()
        event["Properties"] |= subscription.OPTIONS[name]


def _give_roles(config: Config, role_of: Callable[[str], str]) -> None:
    for name in deployed.FUNCTIONS:
        _of_function(config, name)["iam_role_arn"] = role_of(name)


def _of_function(config: Config, name: str) -> dict[str, Any]:
    """Return the configuration of one of the stage's functions. Callers may modify this dictionary."""
    functions = config._config_from_disk["stages"][config.chalice_stage].setdefault("lambda_functions", {})
    configured: dict[str, Any] = functions.setdefault(name, {})
    return configured


def _name_streams(config: Config, streams: dict[str, Any]) -> None:
    for source in config.chalice_app.event_sources:
        # A function that an operator has added reads the operator's own stream.
        if isinstance(source, DynamoDBEventConfig) and source.name in streams:
            source.stream_arn = streams[source.name]


def _is_not_yet(self: TypedAWSClient, error: Any) -> bool:
    return _is_about_role(self, error) or _says_not_yet(error)


def _is_still_settling(self: TypedAWSClient, error: Any) -> bool:
    return _is_settling(self, error) or _says_not_yet(error)


def _says_not_yet(error: Any) -> bool:
    return re.search(NOT_YET, error.response["Error"].get("Message", "")) is not None


def _delete_api(self: TypedAWSClient, rest_api_id: str) -> None:
    """Delete an API, with retries, since API Gateway allows one deletion per account in 30 seconds."""
    for attempts_left in reversed(range(DELETES_MAX)):
        try:
            return _delete(self, rest_api_id)
        except ClientError as error:
            if not attempts_left or error.response["Error"]["Code"] != "TooManyRequestsException":
                raise
            self._sleep(BETWEEN_DELETES_S)
    return None


def _generate_with_gateway(self: SwaggerGenerator, app: Any, rest_api: Any = None) -> dict[str, Any]:
    document: dict[str, Any] = _generate(self, app, rest_api)
    gateway.add_to(document)
    if WITH_DISABLED_ENDPOINT in os.environ:
        document["x-amazon-apigateway-endpoint-configuration"] = {"disableExecuteApiEndpoint": True}
    return document
