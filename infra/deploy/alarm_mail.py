"""Find the email addresses that receive no alarms because their SNS subscription isn't confirmed."""

from collections.abc import Iterable, Iterator

import boto3


def unconfirmed(topics: Iterable[str]) -> Iterator[str]:
    """Yield the unconfirmed addresses. SNS asks for confirmation again after a topic is recreated."""
    pages = boto3.client("sns").get_paginator("list_subscriptions_by_topic")
    for topic in topics:
        for page in pages.paginate(TopicArn=topic):
            for each in page["Subscriptions"]:
                if not each["SubscriptionArn"].startswith("arn:"):
                    yield each["Endpoint"]
