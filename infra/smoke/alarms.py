"""Check that alarms are delivered: each publishes to the topic, and CloudWatch may; a subscription is confirmed."""

from typing import Any

from infra.smoke import rights
from infra.smoke.run import Run

ALARMS, KEY, SUBSCRIBED = (
    "every alarm publishes to a topic",
    "CloudWatch may publish to the topic",
    "an address receives the alarms",
)
AWS_OWN_KEY = "alias/aws/sns"
"""The AWS managed key: its policy can't be changed, and doesn't allow CloudWatch."""
PENDING = "PendingConfirmation"


def check(run: Run) -> None:
    """Check the stage's alarms and their topics."""
    import boto3

    found: list[dict[str, Any]] = []
    prefix = f"latchkey-{run.target.stage}-"
    with rights.asked(run.outcomes, ALARMS):
        pages = boto3.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
        found = [alarm for page in pages for alarm in page["MetricAlarms"]]
        _judge_alarms(run, found)
    look_at_topics(run, sorted({topic for alarm in found for topic in alarm.get("AlarmActions", ())}))


def look_at_topics(run: Run, topics: list[str]) -> None:
    """Check the topics that the alarms publish to."""
    import boto3

    sns = boto3.client("sns")
    for topic in topics:
        with rights.asked(run.outcomes, KEY):
            _judge_key(run, sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("KmsMasterKeyId", ""))
        with rights.asked(run.outcomes, SUBSCRIBED):
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
            _judge_subscriptions(run, [each for page in pages for each in page["Subscriptions"]])


def _judge_alarms(run: Run, found: list[dict[str, Any]]) -> None:
    silent = [alarm["AlarmName"] for alarm in found if not alarm.get("AlarmActions") or not alarm["ActionsEnabled"]]
    run.outcomes.expect(ALARMS, bool(found) and not silent, expected="alarms that do", got=silent or "no alarm")
    ringing = [alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"]
    run.outcomes.seen(ALARMS, f"{len(found)} alarms, ringing: {', '.join(ringing) or 'none'}")


def _judge_key(run: Run, key: str) -> None:
    if not key:
        run.outcomes.ok(KEY)
    elif key.endswith(AWS_OWN_KEY):
        run.outcomes.differs(KEY, expected="no key, or one of your own", got=f"{AWS_OWN_KEY}, which it may not use")
    else:
        run.outcomes.seen(KEY, "the topic has a key of your own: its policy must let cloudwatch.amazonaws.com use it")


def _judge_subscriptions(run: Run, subscriptions: list[dict[str, Any]]) -> None:
    pending = sum(each["SubscriptionArn"] == PENDING for each in subscriptions)
    if not subscriptions:
        run.outcomes.seen(SUBSCRIBED, "none is subscribed: make deploy STAGE=… ALARM_EMAIL=… subscribes one")
    elif pending == len(subscriptions):
        run.outcomes.differs(SUBSCRIBED, expected="a confirmed subscription", got=f"{pending} unconfirmed")
    else:
        run.outcomes.ok(SUBSCRIBED, f"{len(subscriptions) - pending} confirmed, {pending} not")
