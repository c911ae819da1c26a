"""Check that alarms are delivered: each alarm has a topic, to which CloudWatch may publish, and a confirmed address."""

from typing import Any

from infra.smoke import rights
from infra.smoke.run import Run

ALARMS, KEY, SUBSCRIBED = (
    "every alarm publishes to a topic",
    "CloudWatch may publish to the topic",
    "an address receives the alarms",
)
AWS_OWN_KEY = "alias/aws/sns"
"""The AWS managed key for SNS. CloudWatch may not use it, and its policy can't be changed."""
PENDING = "PendingConfirmation"


def check(run: Run) -> None:
    """Check the stage's alarms and their topics."""
    import boto3

    found: list[dict[str, Any]] = []
    prefix = f"latchkey-{run.target.stage}-"
    with rights.record_errors(run.outcomes, ALARMS):
        pages = boto3.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
        found = [alarm for page in pages for alarm in page["MetricAlarms"]]
        _judge_alarms(run, found)
    check_topics(run, sorted({topic for alarm in found for topic in alarm.get("AlarmActions", ())}))


def check_topics(run: Run, topics: list[str]) -> None:
    """Check the topics that the alarms publish to."""
    import boto3

    sns = boto3.client("sns")
    for topic in topics:
        with rights.record_errors(run.outcomes, KEY):
            _judge_key(run, sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("KmsMasterKeyId", ""))
        with rights.record_errors(run.outcomes, SUBSCRIBED):
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
            _judge_subscriptions(run, [each for page in pages for each in page["Subscriptions"]])


def _judge_alarms(run: Run, found: list[dict[str, Any]]) -> None:
    silent = [alarm["AlarmName"] for alarm in found if not alarm.get("AlarmActions") or not alarm["ActionsEnabled"]]
    run.outcomes.expect(ALARMS, bool(found) and not silent, expected="a topic for each", got=silent or "no alarm")
    firing = [alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"]
    run.outcomes.seen(ALARMS, f"{len(found)} alarms, in state ALARM: {', '.join(firing) or 'none'}")


def _judge_key(run: Run, key: str) -> None:
    if not key:
        run.outcomes.ok(KEY)
    elif key.endswith(AWS_OWN_KEY):
        run.outcomes.differs(KEY, expected="none or a customer managed key", got=f"{AWS_OWN_KEY}, denied to CloudWatch")
    else:
        run.outcomes.seen(KEY, "the topic has a customer managed key, whose policy must allow cloudwatch.amazonaws.com")


def _judge_subscriptions(run: Run, subscriptions: list[dict[str, Any]]) -> None:
    pending = sum(each["SubscriptionArn"] == PENDING for each in subscriptions)
    if not subscriptions:
        run.outcomes.seen(SUBSCRIBED, "no address is subscribed: make deploy STAGE=… ALARM_EMAIL=… subscribes one")
    elif pending == len(subscriptions):
        run.outcomes.differs(SUBSCRIBED, expected="a confirmed subscription", got=f"{pending} unconfirmed")
    else:
        run.outcomes.ok(SUBSCRIBED, f"{len(subscriptions) - pending} confirmed, {pending} unconfirmed")
