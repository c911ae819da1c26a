"""`make status`: print a stage's URLs, the state of its data, edge and emails, and its alarms."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra import configuration, deployed, domains, stage_key
from infra.data_stack import parameters, remaking
from infra.data_stack.stack import DataStack
from infra.deploy import addresses, checks, drift, settings
from infra.deploy.output import say
from infra.edge import front
from infra.failed import DeployError

CONFIRMED = "the link in AWS's mail is opened"


def status(stage: str) -> None:
    """Print a stage's URLs, parameters, tables, alarms and drift.

    Raises DeployError if the stage has no resources or, after the output, if a table or a role was manually deleted.
    """
    apis, data = deployed.api_ids(stage), DataStack(stage, say)
    look = data.look()
    if not apis and look.stack is None and not look.tables:
        raise DeployError(f"Nothing of {stage} is in {checks.where()}: make deploy STAGE={stage}.")
    reserved, deployed_as = checks.reserved(stage), checks.gateway_stages(apis)
    _show("stage", f"{stage}, in {checks.where()}")
    _show("service", _service(stage, apis))
    _show_remedies(_misnamed(stage, deployed_as))
    for name in checks.stopped(reserved):
        _show("stopped", f"{name} may run 0 times at once")
    named = configuration.domain(stage)
    target = "" if named is None else domains.target(named)
    if named is not None:
        _show("domain", f"{domains.url(named)}: {_leads(named, target, apis)}")
    _show("data", f"{look.name}: {look.status or 'missing'}")
    _show_remedies([look.remedy(f"make deploy STAGE={stage}")])
    _show("chosen", parameters.as_arguments(look.chosen) or "nothing: LOG_DAYS and the like have their defaults")
    before_it = front.Front(stage, say)
    edge = before_it.status(next(iter(apis), None))
    _show("edge", edge.state)
    _show_remedies(edge.remedies)
    if apis and (named is None or target):  # skip this while the configured domain doesn't exist
        api = deployed.located(stage, apis[0])
        reached = addresses.of_closed(before_it, edge.gone) if edge.is_closed else addresses.of_open(stage, api)
        if not edge.gone:  # otherwise the line about the edge says that the stage is unreachable
            _show("reached", reached.sentence)
        _show_remedies([addresses.wrong_links(stage, reached.urls, before_it)])
    _show("mail", mail_status(stage))
    for name, table in look.described_tables.items():
        _show("table", f"{name}: {table['TableStatus']}, about {table['ItemCount']:,} items")
    for alarm in look.alarms:
        _show("alarm", f"{alarm['AlarmName'].removeprefix(f'latchkey-{stage}-')}: {alarm['StateValue']}")
    topics = [each for each in look.has(remaking.TOPIC).values() if each not in look.lost.values()]
    _show("alarms to", _alarms_reach(topics, look.chosen.get("AlarmEmail", "")))
    if (apis or reserved) and not stage_key.exists(boto3.client("ssm"), stage):
        _show("gone", "the stage's key, and with it the secrets of webhooks: docs/operating.md, \"The stage's key\"")
    _show_drift(drift.of_service(stage, deployed_as, reserved, look))
    _show_drift(drift.of_data(data, look, stage))
    if look.is_kept:
        look.check_missing()


def _service(stage: str, apis: list[str]) -> str:
    version = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
    where = deployed.located(stage, apis[0])["rest_api_url"] if apis else "none; make deploy makes it"
    return f"{where}   (this checkout: {version})"


def _misnamed(stage: str, deployed_as: Mapping[str, list[str]]) -> list[str]:
    """Return the error that a deployment would raise for an API Gateway stage with another name."""
    try:
        checks.check_gateway_stage(stage, deployed_as)
    except DeployError as error:
        return [str(error)]
    return []


def _show_drift(found: drift.Drift) -> None:
    for name in found.gone:
        _show("gone", f"{name}; the next deployment makes it again")
    for name in found.off:
        _show("off", f"{name}; the next deployment switches it on")


def _show_remedies(remedies: list[str]) -> None:
    for each in remedies:
        if each:
            _show("remedy", each)


def _show(what: str, text: str) -> None:
    say(f"{what:<10}{text}")


def _leads(named: dict[str, str], target: str, apis: list[str]) -> str:
    """Describe whether a domain is mapped to this stage, and what its DNS must point to.

    `target` is the DNS target, "" if the domain doesn't exist.
    """
    if not target:
        return "not made; the next deployment does"
    where = "leads here" if any(domains.found(named["domain_name"], apis)) else "leads elsewhere, or nowhere"
    return f"{where}; its DNS must lead to {target}"


def _alarms_reach(topics: list[str], chosen: str) -> str:
    """Describe who receives the alarms; an address receives none until it is confirmed."""
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
    """Describe whether a stage's emails can be delivered."""
    try:
        can_reach_all = boto3.client("sesv2").get_account()["ProductionAccessEnabled"]
    except (ClientError, BotoCoreError) as error:  # raised if access is denied, or in a region without SES
        if settings.mail_from(stage):
            return f"SES doesn't say whether it reaches anybody: {error}"
        return "none is sent: LATCHKEY_MAIL_FROM is not set"
    if not settings.mail_from(stage):
        sandbox = "" if can_reach_all else ", and SES is in its sandbox"
        return f"none is sent: LATCHKEY_MAIL_FROM is not set{sandbox}"
    if can_reach_all:
        return f"from {settings.mail_from(stage)}, to anybody"
    return (
        f"from {settings.mail_from(stage)}, but SES is in its sandbox and sends to verified addresses only: nobody else"
        " can sign up or choose another password. Ask for production access (SES > Account dashboard)."
    )
