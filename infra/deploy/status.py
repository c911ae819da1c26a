"""`make status`: where a stage runs, whether its data, edge and mail are in order, which alarms ring."""

import tomllib
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra import deployed
from infra.data_stack import losses
from infra.data_stack.stack import DataStack
from infra.deploy import settings
from infra.deploy.output import say
from infra.edge import front
from infra.failed import DeployError


def status(stage: str) -> None:
    """Show where a stage runs, how its tables stand, and which alarms ring.

    Raises DeployError, after all is shown, where a table or a role of the stage was deleted by hand.
    """
    api = deployed.live_api(stage)
    version = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
    say(f"{'service':<10}{api['rest_api_url']}   (this checkout: {version})")
    data = DataStack(stage, say)
    stack = data.described()
    say(f"{'data':<10}{deployed.data_stack(stage)}: {stack['StackStatus'] if stack else 'missing'}")
    say(f"{'edge':<10}{front.Front(stage, say).status()}")
    say(f"{'mail':<10}{mail_status(stage)}")
    dynamodb = boto3.client("dynamodb")
    for table in data.tables():
        described = dynamodb.describe_table(TableName=table)["Table"]
        say(f"{'table':<10}{table}: {described['TableStatus']}, about {described['ItemCount']:,} items")
    prefix = f"latchkey-{stage}-"
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
    for alarm in (each for page in pages for each in page["MetricAlarms"]):
        say(f"{'alarm':<10}{alarm['AlarmName'].removeprefix(prefix)}: {alarm['StateValue']}")
    gone = data.missing()
    if gone:
        raise DeployError(losses.told(data.name, gone))


def mail_status(stage: str) -> str:
    """Return whether a stage's mail reaches people, in words."""
    if not settings.mail_from(stage):
        return "none is sent: LATCHKEY_MAIL_FROM is not set"
    try:
        can_reach_all = boto3.client("sesv2").get_account()["ProductionAccessEnabled"]
    except (ClientError, BotoCoreError) as error:  # in a region without SES nothing answers
        return f"SES doesn't say whether it reaches anybody: {error}"
    if can_reach_all:
        return f"from {settings.mail_from(stage)}, to anybody"
    return (
        f"from {settings.mail_from(stage)}, but SES is in its sandbox and sends to verified addresses only: nobody else"
        " can sign up or choose another password. Ask for production access (SES > Account dashboard)."
    )
