"""`make status`: where a stage runs, whether its data, edge and mail are in order, which alarms ring."""

import tomllib
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra import configuration, deployed, domains, stage_key
from infra.data_stack import parameters, remaking
from infra.data_stack.stack import DataStack
from infra.deploy import checks, settings
from infra.deploy.output import say
from infra.edge import front
from infra.failed import DeployError

CONFIRMED = "the link in AWS's mail is opened"


def status(stage: str) -> None:
    """Show where a stage runs, what was chosen for it, how its tables stand, and which alarms ring.

    Raises DeployError where nothing is there, and after all is shown where a table or a role was deleted by hand.
    """
    api, data = deployed.api_of(stage), DataStack(stage, say)
    look = data.look()
    stack, tables = look.stack, look.tables
    if api is None and stack is None and not tables:
        raise DeployError(f"Nothing of {stage} is in {checks.where()}: make deploy STAGE={stage}.")
    version = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
    _show("stage", f"{stage}, in {checks.where()}")
    _show("service", f"{api['rest_api_url'] if api else 'none; make deploy makes it'}   (this checkout: {version})")
    for name in checks.stopped(stage):
        _show("stopped", f"{name} may run 0 times at once")
    named = configuration.domain(stage)
    if named is not None:
        _show("domain", f"{domains.url(named)}: {_leads(named, deployed.api_ids(stage))}")
    _show("data", f"{deployed.data_stack(stage)}: {stack['StackStatus'] if stack else 'missing'}")
    chosen = parameters.chosen(stack)
    _show("chosen", parameters.told(chosen) or "nothing: LOG_DAYS and the like are as they come")
    _show("edge", front.Front(stage, say).status())
    _show("mail", mail_status(stage))
    dynamodb = boto3.client("dynamodb")
    for table in tables:
        described = dynamodb.describe_table(TableName=table)["Table"]
        _show("table", f"{table}: {described['TableStatus']}, about {described['ItemCount']:,} items")
    prefix = f"latchkey-{stage}-"
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
    for alarm in (each for page in pages for each in page["MetricAlarms"]):
        _show("alarm", f"{alarm['AlarmName'].removeprefix(prefix)}: {alarm['StateValue']}")
    lost = look.lost.values()
    topics = [each for each in look.has(remaking.TOPIC).values() if each not in lost]
    _show("alarms to", _alarms_reach(topics, chosen.get("AlarmEmail", "")))
    if api is not None and not stage_key.exists(boto3.client("ssm"), stage):
        _show("gone", "the stage's key, and with it the secrets of webhooks: docs/operating.md, \"The stage's key\"")
    for name in lost:
        _show("gone", f"{name}; the next deployment makes it again")
    look.check_missing()


def _show(what: str, text: str) -> None:
    say(f"{what:<10}{text}")


def _leads(named: dict[str, str], apis: list[str]) -> str:
    """Return where a domain leads, and what its DNS must lead to, in words."""
    target = domains.target(named)
    if not target:
        return "not made; the next deployment does"
    where = "leads here" if any(domains.found(named["domain_name"], apis)) else "leads elsewhere, or nowhere"
    return f"{where}; its DNS must lead to {target}"


def _alarms_reach(topics: list[str], chosen: str) -> str:
    """Return whom the alarms reach, in words: an address that nobody has confirmed gets none."""
    pages = [
        boto3.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=each) for each in topics
    ]
    subscribed = [each for topic in pages for page in topic for each in page["Subscriptions"]]
    if not subscribed and chosen and topics:
        again = f"aws sns subscribe --topic-arn {topics[0]} --protocol email --notification-endpoint {chosen}"
        return f"nobody: {chosen} has unsubscribed, or didn't confirm in time. To ask again: {again}"
    if not subscribed:
        return "nobody: make deploy ALARM_EMAIL=you@example.com"
    return ", ".join(
        each["Endpoint"] + ("" if each["SubscriptionArn"].startswith("arn:") else f", who gets none before {CONFIRMED}")
        for each in subscribed
    )


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
