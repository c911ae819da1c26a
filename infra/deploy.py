"""`make deploy`, `package`, `status`, `destroy`: the data stack by CloudFormation, the service by Chalice's commands.

Each step says what it does, is safe to repeat, and leaves what runs alone when it fails.
"""

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, WaiterError

from chalicelib.core import settings
from infra import chalice_cli, deployed, stage_key
from infra.data import RESOURCES
from infra.deployed import CONFIGURATION, ROOT

STAGES = ("dev", "prod")
RATE_LIMIT, BURST_LIMIT = 2_000, 4_000
"""What the gateway lets through to all callers together, in requests a second: a bound on the bill, not on anyone."""
FUNCTIONS = {
    "APIHandler" if name == deployed.API else name.capitalize(): end for name, end in deployed.FUNCTIONS.items()
}
"""What Chalice calls each function in a template, and how its name ends."""
NO_LOG_ROLE = "CloudWatch Logs role ARN must be set"
"""What API Gateway says when it has nothing to write logs with."""
DELETES_MAX = 3
NEVER_CREATED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
ACCESS_LOG = json.dumps(
    {
        "request_id": "$context.requestId",
        "ip": "$context.identity.sourceIp",
        "time": "$context.requestTime",
        "method": "$context.httpMethod",
        "resource": "$context.resourcePath",
        "status": "$context.status",
        "length": "$context.responseLength",
        "latency_ms": "$context.responseLatency",
        "error": "$context.error.responseType",
    }
)
"""The route, never the path or the query: those may hold a code."""


class DeployError(Exception):
    """A step failed; the message says which, what still runs, and what to do."""


def main() -> int:
    """Run one command; return 1 with one sentence on standard error when it can't be done."""
    parser = argparse.ArgumentParser(prog="deploy")
    parser.add_argument("command", choices=("deploy", "package", "status", "destroy"))
    parser.add_argument("--stage", required=True)
    parser.add_argument("--alarm-email", default="")
    parser.add_argument("--data", default="keep")
    parser.add_argument("--out", default=".local/package")
    options = parser.parse_args()
    if options.stage not in STAGES:
        print(f"Choose a stage: make {options.command} STAGE={'|'.join(STAGES)}", file=sys.stderr)
        return 1
    commands: dict[str, Callable[[], None]] = {
        "deploy": lambda: deploy(options.stage, alarm_email=options.alarm_email),
        "package": lambda: package(options.stage, Path(options.out)),
        "status": lambda: status(options.stage),
        "destroy": lambda: destroy(options.stage, delete_data=options.data == "delete"),
    }
    try:
        commands[options.command]()
    except NoCredentialsError:
        print("No AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", file=sys.stderr)
        return 1
    except (DeployError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def deploy(stage: str, *, alarm_email: str = "") -> None:
    """Create or update a stage: first its data, then its service."""
    check_settings(stage)
    who = boto3.client("sts").get_caller_identity()
    say(f"Deploying {stage} into account {who['Account']}, region {boto3.session.Session().region_name}.")
    put_data_stack(stage, alarm_email)
    if stage_key.create(boto3.client("ssm"), stage):
        say("Made the stage's key, from which webhook secrets are derived (SSM, SecureString).")
    say("Deploying the service (chalice deploy) …")
    chalice("deploy", stage)
    api = deployed_api(stage)
    guard_stage(stage, api)
    say(f"\nLatchkey runs at {api['rest_api_url']}")
    say(f"Next: make account EMAIL=you@example.com ADMIN=1 STAGE={stage}, then open {api['rest_api_url']}login")


def check_settings(stage: str) -> None:
    """Refuse a setting that the functions would refuse when they start: nothing is touched before all are right."""
    whole = json.loads(CONFIGURATION.read_text())
    chosen = whole["stages"][stage]
    of_functions = chosen.get("lambda_functions", {}).items()
    for function, own in (("", {}), *of_functions):
        given = [each.get("environment_variables", {}) for each in (whole, chosen, own)]
        try:
            settings.from_environment({name: value for each in given for name, value in each.items()})
        except settings.SettingError as error:
            where = f"stages.{stage}" + (f".lambda_functions.{function}" if function else "")
            raise DeployError(f".chalice/config.json, {where}: {error}") from error


def put_data_stack(stage: str, alarm_email: str) -> None:
    """Create or update the data stack and wait for it; doing it again changes nothing."""
    cloudformation, name = boto3.client("cloudformation"), deployed.data_stack(stage)
    stack = _stack(cloudformation, name)
    exists = stack is not None
    if stack is not None and stack["StackStatus"] in NEVER_CREATED:
        raise DeployError(
            f"The data stack {name} was never created whole, and CloudFormation can't go on from there. No data is"
            f" in it yet: make destroy STAGE={stage} DATA=delete, then deploy again."
        )
    email: dict[str, Any] = {"ParameterKey": "AlarmEmail", "ParameterValue": alarm_email}
    if exists and not alarm_email:
        # An address given once is kept until another is given.
        email = {"ParameterKey": "AlarmEmail", "UsePreviousValue": True}
    parameters = [{"ParameterKey": "Stage", "ParameterValue": stage}, email]
    request: dict[str, Any] = {"StackName": name, "TemplateBody": RESOURCES.read_text(), "Parameters": parameters}
    try:
        if exists:
            say(f"Updating the data stack {name} …")
            cloudformation.update_stack(**request)
            kind = "stack_update_complete"
        else:
            say(f"Creating the data stack {name}: tables, logs, alarms, dashboard (about two minutes) …")
            cloudformation.create_stack(**request, EnableTerminationProtection=True)
            kind = "stack_create_complete"
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            say("The data stack is up to date.")
            return
        raise
    try:
        cloudformation.get_waiter(kind).wait(StackName=name, WaiterConfig={"Delay": 5, "MaxAttempts": 180})
    except WaiterError as error:
        raise DeployError(
            f"The data stack {name} could not be brought up to date; nothing else was touched, and what ran before"
            f" still runs. See why: aws cloudformation describe-stack-events --stack-name {name}"
        ) from error


def guard_stage(stage: str, api: dict[str, str]) -> None:
    """Set what Chalice doesn't: a bound on all callers together, and access logs without paths and queries.

    Two calls, the bound first: an account whose API Gateway has no role to write logs with refuses the other one whole.
    """
    logs = _outputs(boto3.client("cloudformation"), deployed.data_stack(stage)).get("AccessLogs", "")
    bound = {
        "/*/*/throttling/rateLimit": str(RATE_LIMIT),
        "/*/*/throttling/burstLimit": str(BURST_LIMIT),
        # Five metrics a route, each paid by the month, and nothing reads them: the functions' own are enough.
        "/*/*/metrics/enabled": "false",
    }
    logged = {
        "/accessLogSettings/destinationArn": logs.removesuffix(":*"),
        "/accessLogSettings/format": ACCESS_LOG,
    }
    say("Setting throttling and access logs of the gateway …")
    _set_up(stage, api, bound)
    try:
        _set_up(stage, api, logged)
    except ClientError as error:
        if NO_LOG_ROLE not in str(error):
            raise
        say(
            "Warning: no access logs are written, since API Gateway has no role to write logs with. It needs one, once"
            " in each account and region (docs/deploying.md says how); then deploy again."
        )


def _set_up(stage: str, api: dict[str, str], chosen: dict[str, str]) -> None:
    patch = [{"op": "replace", "path": path, "value": value} for path, value in chosen.items()]
    boto3.client("apigateway").update_stage(
        restApiId=api["rest_api_id"], stageName=deployed.gateway_stage(stage), patchOperations=patch
    )


def package(stage: str, out: Path) -> None:
    """Write one SAM stack of service and data, for a pipeline of the owner's own."""
    check_settings(stage)
    out.mkdir(parents=True, exist_ok=True)
    # The data template asks for a stage; in one stack with the service there is but one it can be.
    data = out / "data.yaml"
    asked = "  Stage:\n    Type: String\n"
    template = RESOURCES.read_text().replace(asked, f"{asked}    Default: {stage}\n")
    data.write_text(template.replace("\nResources:\n", f"\nResources:\n{_function_names(stage)}", 1))
    say(f"Packaging {stage} (chalice package) …")
    # In one stack with the data, the stream is the table's own rather than another stack's.
    merging = ("--merge-template", str(data), "--template-format", "yaml")
    chalice("package", stage, *merging, str(out), environment={chalice_cli.WITH_DATA: "1"})
    data.unlink()
    megabytes = (out / "deployment.zip").stat().st_size / 1e6
    say(f"{out}/sam.yaml and {out}/deployment.zip ({megabytes:.1f} MB). Then: sam deploy -t {out}/sam.yaml --guided")


def _function_names(stage: str) -> str:
    """Return what names the functions as `chalice deploy` does; their log groups, alarms and policies know no other."""
    names = {logical: f"latchkey-{stage}{end}" for logical, end in FUNCTIONS.items()}
    return "".join(f"  {logical}:\n    Properties: {{FunctionName: {name}}}\n" for logical, name in names.items())


def status(stage: str) -> None:
    """Show where a stage runs, how its tables stand, and which alarms ring."""
    api = deployed_api(stage)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    say(f"{'service':<10}{api['rest_api_url']}   (this checkout: {version})")
    stack = _stack(boto3.client("cloudformation"), deployed.data_stack(stage))
    say(f"{'data':<10}{deployed.data_stack(stage)}: {stack['StackStatus'] if stack else 'missing'}")
    dynamodb = boto3.client("dynamodb")
    for table in stage_tables(stage):
        described = dynamodb.describe_table(TableName=table)["Table"]
        say(f"{'table':<10}{table}: {described['TableStatus']}, about {described['ItemCount']:,} items")
    prefix = f"latchkey-{stage}-"
    for alarm in boto3.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]:
        say(f"{'alarm':<10}{alarm['AlarmName'].removeprefix(prefix)}: {alarm['StateValue']}")


def destroy(stage: str, *, delete_data: bool) -> None:
    """Remove the service and, only when asked for and confirmed by typing, the data."""
    if delete_data:
        _confirm(stage)
    _delete_service(stage)
    if not delete_data:
        say("The data is kept: make deploy brings the service back to it. To delete it too: DATA=delete.")
        return
    cloudformation, dynamodb = boto3.client("cloudformation"), boto3.client("dynamodb")
    tables = stage_tables(stage)
    say(f"Deleting the data stack and {len(tables)} tables …")
    if _stack(cloudformation, deployed.data_stack(stage)):
        cloudformation.update_termination_protection(
            StackName=deployed.data_stack(stage), EnableTerminationProtection=False
        )
        cloudformation.delete_stack(StackName=deployed.data_stack(stage))
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=deployed.data_stack(stage))
    # The stack retains its tables on purpose: only this command, after the typed word, deletes them.
    for table in tables:
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.get_waiter("table_exists").wait(TableName=table)  # a table that is being updated can't be deleted
        dynamodb.delete_table(TableName=table)
    stage_key.delete(boto3.client("ssm"), stage)
    say("Deleted. Point-in-time backups of deleted tables are kept by AWS for 35 days.")


def _delete_service(stage: str) -> None:
    """Remove what there is of the service, again while something is found: an API may have been made twice."""
    for _ in range(DELETES_MAX):
        say("Removing the service (chalice delete) …")
        chalice("delete", stage)
        left = deployed.found(stage)
        if not left:
            return
    names = ", ".join(str(each.get("rest_api_id") or each["name"]) for each in left)
    raise DeployError(f"Of the service of {stage} this is left: {names}. Run this again; the data was not touched.")


def _confirm(stage: str) -> None:
    expected = f"delete {stage}"
    say(f"This deletes every account, key and counter of {stage}, for good.")
    if input(f"Type '{expected}' to go on: ").strip() != expected:
        raise DeployError("Not confirmed; nothing was removed.")


def chalice(command: str, stage: str, *more: str, environment: dict[str, str] | None = None) -> None:
    """Run one of Chalice's own commands; what it prints is shown as it comes."""
    if command in ("deploy", "delete"):
        # From any checkout, and after any failure: what exists is adopted, and nothing is made twice.
        deployed.note(stage)
    # `-m chalice.cli` there isn't, and the script beside the interpreter needs the environment to be where it was made.
    program = "import sys; from chalice.cli import main; sys.exit(main())"
    arguments = [sys.executable, "-c", program, command, "--stage", stage, *more]
    everything = os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {})
    if subprocess.run(arguments, cwd=ROOT, env=everything, check=False).returncode != 0:
        raise DeployError(
            f"chalice {command} failed; its own words stand above. The data was not touched, and what ran before still"
            " runs. Run this again when the cause is gone."
        )


def deployed_api(stage: str) -> dict[str, str]:
    """Return the gateway's id and URL of a stage; raise DeployError when nothing is deployed."""
    api = deployed.api_of(stage)
    if api is None:
        raise DeployError(f"Nothing is deployed as {stage} in this account and region: make deploy STAGE={stage}.")
    return api


def stage_tables(stage: str) -> list[str]:
    """Return the tables of a stage that exist."""
    pages = boto3.client("dynamodb").get_paginator("list_tables").paginate()
    names = [name for page in pages for name in page["TableNames"]]
    return [name for name in names if name.startswith(f"latchkey-{stage}-")]


def say(text: str) -> None:
    """Tell the owner what happens, as it happens."""
    print(text, flush=True)


def _stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        stacks: list[dict[str, Any]] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return stacks[0]


def _outputs(cloudformation: Any, name: str) -> dict[str, str]:
    stack = _stack(cloudformation, name) or {}
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


if __name__ == "__main__":
    sys.exit(main())
