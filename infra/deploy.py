"""`make deploy`, `package`, `status`, `rotate-edge`, `destroy`: the data by CloudFormation, the service by Chalice.

Each step says what it does, is safe to repeat, and leaves what runs alone when it fails.
"""

import argparse
import json
import os
import sys
import tomllib
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from chalice.cli import cli as chalices
from chalice.deploy.deployer import ChaliceDeploymentError

from chalicelib.core import settings
from infra import chalice_cli, deployed, domains, lock, stage_key, template
from infra.deployed import CONFIGURATION
from infra.edge import front, viewer_address
from infra.edge import package as edge_package
from infra.failed import DeployError
from infra.stack import DataStack, is_being_deleted, stage_tables

STAGES = ("dev", "prod")
RATE_LIMIT, BURST_LIMIT = 2_000, 4_000
"""What the gateway lets through to all callers together, in requests a second: a bound on the bill, not on anyone."""
FUNCTIONS = {
    "APIHandler" if name == deployed.API else name.capitalize(): end for name, end in deployed.FUNCTIONS.items()
}
"""What Chalice calls each function in a template, and how its name ends."""
PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
"""What Lambda ran as of 2026-11-28, and the pinned packages are compiled for. Chalice takes any newer one for 3.15."""
NO_LOG_ROLE = "CloudWatch Logs role ARN must be set"
"""What API Gateway says when it has nothing to write logs with."""
UNTOUCHED = {
    "deploy": "The data was not touched, and what ran before still runs.",
    "delete": "The data was not touched; of the service a part may be gone.",
    "package": "Nothing was deployed.",
    "dev plan": "Nothing was changed.",
}
"""By command of Chalice's, what is left after it has failed."""
DELETES_MAX = 3
FORESEEN = (ChaliceDeploymentError, ClientError, BotoCoreError, LookupError, DeployError)
"""What Chalice's commands end with when AWS refuses something."""
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


def main(words: list[str] | None = None) -> int:
    """Run one command; return 1 with one sentence on standard error when it can't be done."""
    parser = argparse.ArgumentParser(prog="deploy")
    parser.add_argument("command", choices=("deploy", "package", "status", "rotate-edge", "destroy"))
    parser.add_argument("--stage", required=True)
    parser.add_argument("--alarm-email", default="")
    parser.add_argument("--data", default="keep")
    parser.add_argument("--out", default=".local/package")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--edge", action="store_true")
    parser.add_argument("--domain", default="")
    parser.add_argument("--certificate", default="")
    options = parser.parse_args(words)
    if options.stage not in STAGES:
        print(f"Choose a stage: make {options.command} STAGE={'|'.join(STAGES)}", file=sys.stderr)
        return 1
    if options.data not in ("keep", "delete"):
        print(f"DATA takes keep or delete, not {options.data!r}.", file=sys.stderr)
        return 1
    wanted = (options.domain, options.certificate) if options.edge else None
    commands: dict[str, Callable[[], None]] = {
        "deploy": lambda: (plan if options.dry_run else deploy)(
            options.stage, alarm_email=options.alarm_email, edge=wanted
        ),
        "package": lambda: package(options.stage, Path(options.out), edge=wanted),
        "status": lambda: status(options.stage),
        "rotate-edge": lambda: rotate_edge(options.stage),
        "destroy": lambda: destroy(options.stage, delete_data=options.data == "delete"),
    }
    try:
        if options.command != "package":
            check_region()
        commands[options.command]()
    except NoCredentialsError:
        print("No AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", file=sys.stderr)
        return 1
    except (DeployError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def deploy(stage: str, *, alarm_email: str = "", edge: tuple[str, str] | None = None) -> None:
    """Create or update a stage: its data, its service and, with a domain and its certificate, CloudFront before it."""
    check_settings(stage)
    domains.check(deployed.configured_domain(stage), lambda: deployed.api_ids(stage))
    is_trusted = _is_header_trusted(stage, edge)
    who = boto3.client("sts").get_caller_identity()
    say(f"Deploying {stage} into account {who['Account']}, region {boto3.session.Session().region_name}.")
    with lock.on(stage) as take:
        check_running(stage)
        DataStack(stage, say).put(template.composed(mail_from(stage)), alarm_email)
        take()
        if stage_key.create(boto3.client("ssm"), stage):
            say("Made the stage's key, from which webhook secrets are derived (SSM, SecureString).")
        say("Deploying the service (chalice deploy) …")
        with _environment(**({} if is_trusted else {chalice_cli.WITHOUT_CLIENT_IP_HEADER: "1"})):
            chalice("deploy", stage)
        api = deployed_api(stage)
        guard_stage(stage, api)
        is_closed = front.Front(stage, say).put(*edge, api) if edge else viewer_address.is_believed(stage)
        if is_closed and not is_trusted:
            say(f"Deploying the service again, which now believes {viewer_address.HEADER} …")
            chalice("deploy", stage)
            guard_stage(stage, api)
    public = viewer_address.setting(stage, "LATCHKEY_PUBLIC_URL")
    url = f"{public}/" if is_closed and public else api["rest_api_url"]
    say(f"\nLatchkey runs at {url}")
    say(f"Next: make account EMAIL=you@example.com ADMIN=1 STAGE={stage}, then open {url}login")
    say(f"See from outside whether all of it works, in under two minutes: make smoke STAGE={stage}")


def _is_header_trusted(stage: str, edge: tuple[str, str] | None) -> bool:
    """Return whether the client address may be taken from the header that is set; raise DeployError where it never may.

    The one that our CloudFront writes may when nobody but CloudFront reaches the API.
    """
    if edge:
        front.check(stage, *edge)
    if not viewer_address.is_believed(stage) or front.Front(stage, say).is_closed():
        return True
    if edge:
        return False
    raise DeployError(
        f"Anybody could send {viewer_address.HEADER}, since the API of {stage} isn't closed to all but CloudFront:"
        " deploy with EDGE=1, or set no LATCHKEY_CLIENT_IP_HEADER in .chalice/config.json."
    )


def plan(stage: str, *, alarm_email: str = "", edge: tuple[str, str] | None = None) -> None:
    """Say what a deployment would change, and change nothing."""
    check_settings(stage)
    domains.check(deployed.configured_domain(stage), lambda: deployed.api_ids(stage))
    _is_header_trusted(stage, edge)
    changes = DataStack(stage, say).planned(template.composed(mail_from(stage)), alarm_email)
    say(f"The data stack {deployed.data_stack(stage)}, by CloudFormation:")
    say("\n".join(f"  {change}" for change in changes) if changes else "  nothing changes")
    say("The service, by Chalice:")
    chalice("dev plan", stage)
    if edge:
        say(front.Front(stage, say).planned())
    say("Nothing was changed.")


def check_region() -> None:
    """Raise DeployError where no region is chosen, and BotoCoreError where the profile that is named isn't there."""
    if boto3.session.Session().region_name is None:
        raise DeployError("No AWS region: set AWS_DEFAULT_REGION, or one in the profile that AWS_PROFILE names.")


def check_python(version: tuple[int, ...]) -> None:
    """Raise DeployError where the functions couldn't run on the Python that deploys, which Chalice gives them."""
    if version[:2] not in PYTHONS:
        oldest, newest = (".".join(map(str, each)) for each in (PYTHONS[0], PYTHONS[-1]))
        raise DeployError(
            f"The functions run on the Python that you deploy from, {oldest} to {newest}, and this is"
            f" {version[0]}.{version[1]}: remove .venv, then run this again with PYTHON=python3.13."
        )


def check_running(stage: str) -> None:
    """Raise DeployError where somebody has stopped the stage, as for a restore: Chalice would start it again."""
    functions = boto3.client("lambda")
    for end in deployed.FUNCTIONS.values():
        name = f"latchkey-{stage}{end}"
        try:
            reserved = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        except functions.exceptions.ResourceNotFoundException:
            continue
        if reserved == 0:
            raise DeployError(
                f"{stage} is stopped: {name} may run 0 times at once. A deployment would start it in the middle of what"
                f" it was stopped for. When that is over: aws lambda delete-function-concurrency --function-name {name}"
            )


def mail_from(stage: str) -> str:
    """Return the sender of a stage's mail; empty where it sends none."""
    return viewer_address.setting(stage, "LATCHKEY_MAIL_FROM")


def check_settings(stage: str) -> None:
    """Refuse a setting that the functions would refuse when they start: nothing is touched before all are right."""
    check_python(tuple(sys.version_info[:2]))
    whole = json.loads(CONFIGURATION.read_text())
    chosen = whole["stages"][stage]
    of_functions = chosen.get("lambda_functions", {}).items()
    for function, own in (("", {}), *of_functions):
        given = [each.get("environment_variables", {}) for each in (whole, chosen, own)]
        variables = {name: value for each in given for name, value in each.items()}
        where = f".chalice/config.json, stages.{stage}" + (f".lambda_functions.{function}" if function else "")
        for name, value in variables.items():
            if not isinstance(value, str):
                raise DeployError(f'{where}: {name} takes text, like "{value}" in quotes, not {value!r}.')
        try:
            settings.from_environment(variables)
        except settings.SettingError as error:
            raise DeployError(f"{where}: {error}") from error


def guard_stage(stage: str, api: dict[str, str]) -> None:
    """Set what Chalice doesn't: a bound on all callers together, and access logs without paths and queries.

    Two calls, the bound first: an account whose API Gateway has no role to write logs with refuses the other one whole.
    """
    logs = deployed.outputs(stage).get("AccessLogs", "")
    bound = {
        "/*/*/throttling/rateLimit": str(RATE_LIMIT),
        "/*/*/throttling/burstLimit": str(BURST_LIMIT),
    }
    # Five metrics a route, each paid by the month, and nothing reads them: the functions' own are enough.
    unmeasured = {"/*/*/metrics/enabled": "false"}
    logged = {
        "/accessLogSettings/destinationArn": logs.removesuffix(":*"),
        "/accessLogSettings/format": ACCESS_LOG,
    }
    say("Setting throttling and access logs of the gateway …")
    try:
        _set_up(stage, api, bound | unmeasured)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BadRequestException":
            raise
        _set_up(stage, api, unmeasured)
        say(
            f"Warning: the stage isn't bounded, since API Gateway refuses {RATE_LIMIT:,} requests a second and"
            f" {BURST_LIMIT:,} at once ({error}). All callers together have what the account has in this region"
            " (docs/deploying.md, quotas): ask for more, then deploy again."
        )
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


def package(stage: str, out: Path, *, edge: tuple[str, str] | None = None) -> None:
    """Write one SAM stack of service and data, for a pipeline of the owner's own, and beside it those of the edge."""
    check_settings(stage)
    out.mkdir(parents=True, exist_ok=True)
    data = out / "data.json"
    data.write_text(template.as_text(beside_the_service(stage)))
    say(f"Packaging {stage} (chalice package) …")
    with _environment(**{chalice_cli.WITH_DATA: "1"}):
        chalice("package", stage, "--merge-template", str(data), "--template-format", "yaml", str(out))
    data.unlink()
    megabytes = (out / "deployment.zip").stat().st_size / 1e6
    say(f"{out}/sam.yaml and {out}/deployment.zip ({megabytes:.1f} MB). Then: sam deploy -t {out}/sam.yaml --guided")
    page = "make package EDGE=1 says how."
    if edge:
        page = str(edge_package.write(stage, out, domain=edge[0], certificate=edge[1]))
        say(f"CloudFront in front of it, as two stacks with what to give them, and when: {page}")
    if viewer_address.is_believed(stage):
        say(edge_package.warning(stage, page))


def beside_the_service(stage: str) -> template.Template:
    """Return the data template as it is merged with the service's: for one stage, and with what Chalice leaves out.

    The functions are named as `chalice deploy` names them, since logs, alarms and policies know no other names. The
    gateway is bounded and logged; and SAM makes no second stage of its own where it is told of Swagger 2.
    """
    whole = template.composed(mail_from(stage))
    whole["Parameters"]["Stage"]["Default"] = stage
    group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${AccessLogs}"
    bound = {
        "ResourcePath": "/*",
        "HttpMethod": "*",
        "ThrottlingRateLimit": RATE_LIMIT,
        "ThrottlingBurstLimit": BURST_LIMIT,
        "MetricsEnabled": False,
    }
    api = {
        "OpenApiVersion": "2.0",
        "TracingEnabled": True,
        "MethodSettings": [bound],
        "AccessLogSetting": {"DestinationArn": {"Fn::Sub": group}, "Format": ACCESS_LOG},
    }
    added = {"RestAPI": {"Properties": api}}
    for logical, end in FUNCTIONS.items():
        added[logical] = {"Properties": {"FunctionName": f"latchkey-{stage}{end}"}}
    return whole | {"Resources": whole["Resources"] | added}


def status(stage: str) -> None:
    """Show where a stage runs, how its tables stand, and which alarms ring."""
    api = deployed_api(stage)
    version = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
    say(f"{'service':<10}{api['rest_api_url']}   (this checkout: {version})")
    stack = DataStack(stage, say).described()
    say(f"{'data':<10}{deployed.data_stack(stage)}: {stack['StackStatus'] if stack else 'missing'}")
    say(f"{'edge':<10}{front.Front(stage, say).status()}")
    say(f"{'mail':<10}{mail_status(stage)}")
    dynamodb = boto3.client("dynamodb")
    for table in stage_tables(stage):
        described = dynamodb.describe_table(TableName=table)["Table"]
        say(f"{'table':<10}{table}: {described['TableStatus']}, about {described['ItemCount']:,} items")
    prefix = f"latchkey-{stage}-"
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
    for alarm in (each for page in pages for each in page["MetricAlarms"]):
        say(f"{'alarm':<10}{alarm['AlarmName'].removeprefix(prefix)}: {alarm['StateValue']}")


def mail_status(stage: str) -> str:
    """Return whether a stage's mail reaches people, in words."""
    if not mail_from(stage):
        return "none is sent: LATCHKEY_MAIL_FROM is not set"
    try:
        can_reach_all = boto3.client("sesv2").get_account()["ProductionAccessEnabled"]
    except (ClientError, BotoCoreError) as error:  # in a region without SES nothing answers
        return f"SES doesn't say whether it reaches anybody: {error}"
    if can_reach_all:
        return f"from {mail_from(stage)}, to anybody"
    return (
        f"from {mail_from(stage)}, but SES is in its sandbox and sends to verified addresses only: nobody else can sign"
        " up or choose another password. Ask for production access (SES > Account dashboard)."
    )


def rotate_edge(stage: str) -> None:
    """Exchange the secret that CloudFront shows the API; deploy nothing else."""
    with lock.on(stage):
        front.Front(stage, say).rotate(deployed_api(stage))
    say("CloudFront shows the API another secret now, and the one before is refused.")


def destroy(stage: str, *, delete_data: bool) -> None:
    """Remove the service and, only when asked for and confirmed by typing, the data."""
    if delete_data:
        _confirm(stage)
    with lock.on(stage):
        left = front.Front(stage, say).delete()
        _delete_service(stage)
        if delete_data:
            _delete_data(stage)
        else:
            say("The data is kept: make deploy brings the service back to it. To delete it too: DATA=delete.")
    if left:
        raise DeployError(left)


def _delete_data(stage: str) -> None:
    dynamodb, tables = boto3.client("dynamodb"), stage_tables(stage)
    say(f"Deleting the data stack and {len(tables)} tables …")
    DataStack(stage, say).delete()
    # The stack retains its tables on purpose: only this command, after the typed word, deletes them.
    for table in (each for each in tables if not is_being_deleted(each)):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.get_waiter("table_exists").wait(TableName=table)  # a table that is being updated can't be deleted
        dynamodb.delete_table(TableName=table)
    for table in tables:
        dynamodb.get_waiter("table_not_exists").wait(TableName=table)
    stage_key.delete(boto3.client("ssm"), stage)
    say("Deleted. Point-in-time backups of deleted tables are kept by AWS for 35 days.")


def _delete_service(stage: str) -> None:
    """Remove what there is of the service, again while something is found: an API may have been made twice."""
    for _ in range(DELETES_MAX):
        say("Removing the service (chalice delete) …")
        domains.release(deployed.named_domain(stage), deployed.api_ids(stage), say)
        chalice("delete", stage)
        left = deployed.found(stage)
        if not left:
            return
    names = ", ".join(str(each.get("rest_api_id") or each.get("domain_name") or each["name"]) for each in left)
    raise DeployError(f"Of the service of {stage} this is left: {names}. Run this again; the data was not touched.")


def _confirm(stage: str) -> None:
    expected = f"delete {stage}"
    say(f"This deletes every account, key and counter of {stage}, for good.")
    try:
        typed = input(f"Type '{expected}' to go on: ")
    except EOFError:
        typed = ""
    if typed.strip() != expected:
        raise DeployError("Not confirmed; nothing was removed.")


def chalice(command: str, stage: str, *more: str) -> None:
    """Run one of Chalice's own commands; what it prints is shown as it comes."""
    chalice_cli.install()
    if command == "delete":
        deployed.note(stage)  # from any checkout; `deploy` does so itself
    try:
        chalices.main([*command.split(), "--stage", stage, *more], prog_name="chalice", standalone_mode=False, obj={})
    except Exception as error:
        if isinstance(error, click.ClickException):
            error.show()
        elif isinstance(error, FORESEEN):
            print(str(error).strip(), file=sys.stderr)
        else:
            traceback.print_exc()  # of the owner's own code, or a fault of ours: where it is, only this says
        raise DeployError(
            f"chalice {command} failed; why stands above. {UNTOUCHED[command]} Run this again when the cause is gone."
        ) from error


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
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


def deployed_api(stage: str) -> dict[str, str]:
    """Return the gateway's id and URL of a stage; raise DeployError when nothing is deployed."""
    api = deployed.api_of(stage)
    if api is None:
        raise DeployError(f"Nothing is deployed as {stage} in this account and region: make deploy STAGE={stage}.")
    return api


def say(text: str) -> None:
    """Tell the owner what happens, as it happens."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
